/* SPDX-License-Identifier: Apache-2.0 */
#include "base/digest.h"
#include <string.h>
#include <openssl/evp.h>

static const struct algorithm {
	const char *name;
	size_t hex_len;
	const EVP_MD *(*md)(void);
} algorithms[] = {
	{"sha256", 64, EVP_sha256},
	{"sha384", 96, EVP_sha384},
	{"sha512", 128, EVP_sha512},
};

struct hasher {
	EVP_MD_CTX *ctx; /* owned */
	const struct algorithm *algorithm;
};

static const struct algorithm *algorithm_find(const char *name, size_t len)
{
	for (size_t i = 0; i < G_N_ELEMENTS(algorithms); i++)
		if (strlen(algorithms[i].name) == len && memcmp(algorithms[i].name, name, len) == 0)
			return &algorithms[i];
	return NULL;
}

bool digest_is_valid(const char *text)
{
	const char *colon = text ? strchr(text, ':') : NULL;
	if (!colon)
		return false;
	const struct algorithm *algorithm = algorithm_find(text, (size_t)(colon - text));
	size_t len = strlen(colon + 1);
	return algorithm && len == algorithm->hex_len && strspn(colon + 1, "0123456789abcdef") == len;
}

bool digest_parse(const char *text, struct digest *ret, GError **error)
{
	if (!digest_is_valid(text))
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid digest \"%.200s\"", text ? text : "");
	g_strlcpy(ret->text, text, sizeof ret->text);
	return true;
}

const char *digest_hex(const struct digest *digest)
{
	const char *colon = strchr(digest->text, ':');
	return colon ? colon + 1 : "";
}

char *digest_blob_path(const struct digest *digest)
{
	return g_strdup_printf("blobs/%.*s/%s", (int)strcspn(digest->text, ":"), digest->text, digest_hex(digest));
}

bool digest_is_set(const struct digest *digest)
{
	return digest->text[0] != '\0';
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
	return strcmp(a->text, b->text) == 0;
}

static void write_text(const struct algorithm *algorithm, const unsigned char *raw, unsigned raw_len,
		       struct digest *ret)
{
	static const char digits[] = "0123456789abcdef";
	size_t at = g_strlcpy(ret->text, algorithm->name, sizeof ret->text);
	ret->text[at++] = ':';
	for (unsigned i = 0; i < raw_len; i++) {
		ret->text[at++] = digits[raw[i] >> 4];
		ret->text[at++] = digits[raw[i] & 15];
	}
	ret->text[at] = '\0';
}

void digest_of(const void *bytes, size_t n, struct digest *ret)
{
	unsigned char raw[EVP_MAX_MD_SIZE];
	unsigned raw_len = 0;
	g_assert(EVP_Digest(bytes, n, raw, &raw_len, EVP_sha256(), NULL) == 1);
	write_text(&algorithms[0], raw, raw_len, ret);
}

void digest_of_text(const char *text, struct digest *ret)
{
	digest_of(text, strlen(text), ret);
}

hasher *hasher_new(const char *algorithm)
{
	const struct algorithm *found = algorithm_find(algorithm, strlen(algorithm));
	g_assert(found);
	hasher *h = g_new0(hasher, 1);
	h->algorithm = found;
	h->ctx = EVP_MD_CTX_new();
	hasher_reset(h);
	return h;
}

hasher *hasher_new_sha256(void)
{
	return hasher_new("sha256");
}

hasher *hasher_copy(const hasher *h)
{
	hasher *copy = g_new0(hasher, 1);
	copy->algorithm = h->algorithm;
	copy->ctx = EVP_MD_CTX_new();
	g_assert(EVP_MD_CTX_copy_ex(copy->ctx, h->ctx) == 1);
	return copy;
}

void hasher_reset(hasher *h)
{
	g_assert(EVP_DigestInit_ex(h->ctx, h->algorithm->md(), NULL) == 1);
}

void hasher_update(hasher *h, const void *bytes, size_t n)
{
	g_assert(EVP_DigestUpdate(h->ctx, bytes, n) == 1);
}

void hasher_finish(hasher *h, struct digest *ret)
{
	unsigned char raw[EVP_MAX_MD_SIZE];
	unsigned raw_len = 0;
	g_assert(EVP_DigestFinal_ex(h->ctx, raw, &raw_len) == 1);
	write_text(h->algorithm, raw, raw_len, ret);
}

void hasher_free(hasher *h)
{
	if (!h)
		return;
	EVP_MD_CTX_free(h->ctx);
	g_free(h);
}
