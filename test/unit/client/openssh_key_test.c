/* SPDX-License-Identifier: Apache-2.0 */
/* ssh_key_test.c reads files of ssh-keygen; these are files that ssh-keygen does not write. */
#include "client/openssh_key.h"
#include "client/ssh_wire.h"
#include <string.h>

/* An Ed25519 key, and the change of a test case. */
struct file {
	const char *magic, *cipher, *kdf, *kdf_options, *type;
	const char *padding;
	uint32_t count, check;
	bool other_public, short_pair;
};

static const struct file plain = {"openssh-key-v1", "none", "none", "", "ssh-ed25519", "\1\2\3", 1, 7, false, false};

static void put_private(GByteArray *out, const struct file *f)
{
	static const uint8_t seed[32] = {1, 2, 3};
	uint8_t public[32];
	size_t n = sizeof(public);
	g_autoptr(GByteArray) private = g_byte_array_new();
	g_autoptr(GByteArray) pair = g_byte_array_new();
	EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, sizeof(seed));
	g_assert_cmpint(EVP_PKEY_get_raw_public_key(key, public, &n), ==, 1);
	EVP_PKEY_free(key);
	public[0] = (uint8_t)(public[0] ^ f->other_public);
	g_byte_array_append(pair, seed, sizeof(seed));
	g_byte_array_append(pair, public, f->short_pair ? 31 : 32);
	ssh_put_uint32(private, f->check);
	ssh_put_uint32(private, 7);
	ssh_put_text(private, f->type);
	ssh_put_string(private, public, sizeof(public));
	ssh_put_string(private, pair->data, pair->len);
	ssh_put_text(private, "a comment");
	g_byte_array_append(private, (const uint8_t *)f->padding, (guint)strlen(f->padding));
	ssh_put_taken(out, g_steal_pointer(&private));
}

static GByteArray *file_new(const struct file *f)
{
	GByteArray *out = g_byte_array_new();
	g_byte_array_append(out, (const uint8_t *)f->magic, (guint)strlen(f->magic) + 1);
	ssh_put_text(out, f->cipher);
	ssh_put_text(out, f->kdf);
	ssh_put_text(out, f->kdf_options);
	ssh_put_uint32(out, f->count);
	ssh_put_text(out, "public");
	put_private(out, f);
	return out;
}

static void assert_parse(const struct file *f, const char *expected)
{
	g_autoptr(GByteArray) bytes = file_new(f);
	g_autoptr(GError) error = NULL;
	EVP_PKEY *key = openssh_key_parse(bytes->data, bytes->len, &error);
	g_assert_cmpstr(error ? error->message : NULL, ==, expected);
	g_assert_true(!key == (expected != NULL));
	EVP_PKEY_free(key);
}

#define CASE(expected, ...)                                                                                            \
	do {                                                                                                           \
		struct file f = plain;                                                                                 \
		__VA_ARGS__;                                                                                           \
		assert_parse(&f, expected);                                                                            \
	} while (0)

static void test_cases(void)
{
	CASE(NULL, (void)f);
	CASE(NULL, f.padding = "");
	CASE("ssh: invalid openssh private key format", f.magic = "openssh-key-v2");
	CASE("ssh: multi-key files are not supported", f.count = 2);
	CASE("ssh: multi-key files are not supported", f.count = 0);
	CASE("ssh: this private key is passphrase protected", f.cipher = "aes256-ctr");
	CASE("ssh: this private key is passphrase protected", f.kdf = "bcrypt");
	CASE("ssh: invalid openssh private key", f.kdf_options = "x");
	CASE("ssh: unhandled key type", f.type = "ssh-dss");
	CASE("ssh: malformed OpenSSH key", f.check = 8);
	CASE("ssh: malformed OpenSSH key", f.padding = "\1\3");
	CASE("ssh: malformed OpenSSH key", f.other_public = true);
	CASE("ssh: malformed OpenSSH key", f.short_pair = true);
}

/* A truncated key is refused. */
static void test_truncated(void)
{
	g_autoptr(GByteArray) bytes = file_new(&plain);
	for (guint n = 0; n < bytes->len; n++) {
		g_autoptr(GError) error = NULL;
		g_autofree uint8_t *start = g_memdup2(bytes->data, n);
		g_assert_null(openssh_key_parse(start, n, &error));
		g_assert_nonnull(error);
		g_assert_cmpstr(error->message, ==, "ssh: invalid openssh private key format");
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/openssh-key/cases", test_cases);
	g_test_add_func("/openssh-key/truncated", test_truncated);
	return g_test_run();
}
