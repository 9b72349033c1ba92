/* SPDX-License-Identifier: Apache-2.0 */
#include "client/ssh_key.h"
#include "base/limits.h"
#include "client/openssh_key.h"
#include "client/ssh_wire.h"
#include "format/gotype.h"
#include <fcntl.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

struct ssh_key {
	EVP_PKEY *secret;              /* owned */
	const struct algorithm *first; /* borrowed from the table below; the row of the key's type */
	GBytes *public;                /* owned */
};

/* A signature algorithm. The rows of one key type are adjacent, the row without flags first. */
struct algorithm {
	int type;
	const char *group; /* EVP_PKEY_EC only: OpenSSL's name of the curve */
	uint32_t flags;
	const char *name;
	const char *digest; /* NULL: fixed by the algorithm */
};
static const struct algorithm algorithms[] = {
	{EVP_PKEY_ED25519, NULL, 0, "ssh-ed25519", NULL},
	{EVP_PKEY_RSA, NULL, 0, "ssh-rsa", "SHA1"},
	{EVP_PKEY_RSA, NULL, SSH_SIGN_RSA_SHA2_256, "rsa-sha2-256", "SHA256"},
	{EVP_PKEY_RSA, NULL, SSH_SIGN_RSA_SHA2_512, "rsa-sha2-512", "SHA512"},
	{EVP_PKEY_EC, SN_X9_62_prime256v1, 0, "ecdsa-sha2-nistp256", "SHA256"},
	{EVP_PKEY_EC, SN_secp384r1, 0, "ecdsa-sha2-nistp384", "SHA384"},
	{EVP_PKEY_EC, SN_secp521r1, 0, "ecdsa-sha2-nistp521", "SHA512"},
};

G_DEFINE_AUTOPTR_CLEANUP_FUNC(BIO, BIO_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_MD_CTX, EVP_MD_CTX_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ECDSA_SIG, ECDSA_SIG_free)

void ssh_key_free(ssh_key *key)
{
	EVP_PKEY_free(key->secret);
	if (key->public)
		g_bytes_unref(key->public);
	g_free(key);
}

GBytes *ssh_key_public(const ssh_key *key)
{
	return key->public;
}

/* ---- public key */

static bool put_parameter(GByteArray *out, const EVP_PKEY *key, const char *name)
{
	BIGNUM *number = NULL;
	bool ok = EVP_PKEY_get_bn_param(key, name, &number) > 0;
	if (ok)
		ssh_put_number(out, number);
	BN_free(number);
	return ok;
}

/* Writes an uncompressed point, whatever form the file has. */
static bool put_point(GByteArray *out, const EVP_PKEY *key)
{
	BIGNUM *x = NULL, *y = NULL;
	int n = (EVP_PKEY_get_bits(key) + 7) / 8;
	g_autofree uint8_t *point = g_malloc0(1 + 2 * (size_t)n);
	point[0] = POINT_CONVERSION_UNCOMPRESSED;
	bool ok = EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_EC_PUB_X, &x) > 0 &&
		  EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_EC_PUB_Y, &y) > 0 && BN_bn2binpad(x, point + 1, n) == n &&
		  BN_bn2binpad(y, point + 1 + n, n) == n;
	if (ok)
		ssh_put_string(out, point, 1 + 2 * (size_t)n);
	BN_free(x);
	BN_free(y);
	return ok;
}

static GBytes *public_of(const EVP_PKEY *key, const struct algorithm *algorithm)
{
	g_autoptr(GByteArray) out = g_byte_array_new();
	bool ok;
	ssh_put_text(out, algorithm->name);
	if (algorithm->type == EVP_PKEY_ED25519) {
		uint8_t bytes[32];
		size_t n = sizeof(bytes);
		ok = EVP_PKEY_get_raw_public_key(key, bytes, &n) > 0;
		if (ok)
			ssh_put_string(out, bytes, n);
	} else if (algorithm->type == EVP_PKEY_RSA) {
		ok = put_parameter(out, key, OSSL_PKEY_PARAM_RSA_E) && put_parameter(out, key, OSSL_PKEY_PARAM_RSA_N);
	} else {
		ssh_put_text(out, strrchr(algorithm->name, '-') + 1);
		ok = put_point(out, key);
	}
	return ok ? g_byte_array_free_to_bytes(g_steal_pointer(&out)) : NULL;
}

/* ---- signing */

/* Converts an ECDSA signature to SSH's encoding of its two numbers. */
static bool put_ecdsa(GByteArray *out, const uint8_t *der, size_t n)
{
	g_autoptr(ECDSA_SIG) signature = d2i_ECDSA_SIG(NULL, &der, (long)n);
	if (!signature)
		return false;
	GByteArray *numbers = g_byte_array_new();
	ssh_put_number(numbers, ECDSA_SIG_get0_r(signature));
	ssh_put_number(numbers, ECDSA_SIG_get0_s(signature));
	ssh_put_taken(out, numbers);
	return true;
}

static bool sign(EVP_PKEY *key, const struct algorithm *algorithm, struct slice data, GByteArray *out)
{
	g_autoptr(EVP_MD_CTX) ctx = EVP_MD_CTX_new();
	size_t n = (size_t)EVP_PKEY_get_size(key);
	g_autofree uint8_t *bytes = g_malloc(n);
	if (!ctx || EVP_DigestSignInit_ex(ctx, NULL, algorithm->digest, NULL, NULL, key, NULL) <= 0 ||
	    EVP_DigestSign(ctx, bytes, &n, data.ptr, data.len) <= 0)
		return false;
	ssh_put_text(out, algorithm->name);
	if (algorithm->type == EVP_PKEY_EC)
		return put_ecdsa(out, bytes, n);
	ssh_put_string(out, bytes, n);
	return true;
}

bool ssh_key_sign(const ssh_key *key, struct slice data, uint32_t flags, GByteArray *out)
{
	const struct algorithm *end = algorithms + G_N_ELEMENTS(algorithms);
	for (const struct algorithm *a = key->first; a < end && a->type == key->first->type; a++) {
		if (a->flags != flags)
			continue;
		bool ok = sign(key->secret, a, data, out);
		ERR_clear_error();
		return ok;
	}
	return false;
}

/* ---- from an OpenSSL key */

static const struct algorithm *find_algorithm(const EVP_PKEY *key)
{
	char group[32] = "";
	int type = EVP_PKEY_get_base_id(key);
	if (type == EVP_PKEY_EC)
		EVP_PKEY_get_group_name(key, group, sizeof(group), NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(algorithms); i++)
		if (algorithms[i].type == type && (!algorithms[i].group || g_str_equal(algorithms[i].group, group)))
			return &algorithms[i];
	return NULL;
}

/* Verifies with the public key a signature of the private key. */
static bool is_pair(EVP_PKEY *key, const struct algorithm *algorithm)
{
	static const uint8_t probe[] = "probe";
	const char *digest = algorithm->digest ? "SHA256" : NULL;
	g_autoptr(EVP_MD_CTX) signing = EVP_MD_CTX_new();
	g_autoptr(EVP_MD_CTX) verifying = EVP_MD_CTX_new();
	size_t n = (size_t)EVP_PKEY_get_size(key);
	g_autofree uint8_t *bytes = g_malloc(n);
	return signing && verifying && EVP_DigestSignInit_ex(signing, NULL, digest, NULL, NULL, key, NULL) > 0 &&
	       EVP_DigestSign(signing, bytes, &n, probe, sizeof(probe)) > 0 &&
	       EVP_DigestVerifyInit_ex(verifying, NULL, digest, NULL, NULL, key, NULL) > 0 &&
	       EVP_DigestVerify(verifying, bytes, n, probe, sizeof(probe)) > 0;
}

static bool is_usable(EVP_PKEY *key, const struct algorithm **ret_algorithm, GError **error)
{
	int bits = EVP_PKEY_get_bits(key);
	*ret_algorithm = find_algorithm(key);
	if (!*ret_algorithm && EVP_PKEY_get_base_id(key) == EVP_PKEY_EC)
		return error_set(error, ERROR_INVALID_ARGUMENT,
				 "ssh: only P-256, P-384 and P-521 EC keys are supported");
	if (!*ret_algorithm)
		return error_set(error, ERROR_INVALID_ARGUMENT, "ssh: unsupported key type");
	if ((*ret_algorithm)->type == EVP_PKEY_RSA && (bits < 1024 || bits > LIMIT_SSH_RSA_BITS))
		return error_set(error, ERROR_INVALID_ARGUMENT, "ssh: RSA key of %d bits: expected 1024 to %lld", bits,
				 LIMIT_SSH_RSA_BITS);
	return is_pair(key, *ret_algorithm) ||
	       error_set(error, ERROR_INVALID_ARGUMENT, "ssh: public key does not match private key");
}

/* Takes ownership of the secret. */
static ssh_key *key_new(EVP_PKEY *secret, GError **error)
{
	g_autoptr(ssh_key) key = g_new0(ssh_key, 1);
	key->secret = secret;
	if (!is_usable(secret, &key->first, error))
		return NULL;
	key->public = public_of(secret, key->first);
	if (key->public)
		return g_steal_pointer(&key);
	return error_null(error, ERROR_INVALID_ARGUMENT, "ssh: key without a public half");
}

/* ---- from text */

struct pem {
	char *name, *header;
	uint8_t *bytes;
	long n;
};

static void pem_clear(struct pem *p)
{
	OPENSSL_secure_free(p->name);
	OPENSSL_secure_free(p->header);
	OPENSSL_secure_clear_free(p->bytes, (size_t)p->n);
	*p = (struct pem){NULL};
}

static bool pem_next(BIO *text, struct pem *ret)
{
	pem_clear(ret);
	return PEM_read_bio_ex(text, &ret->name, &ret->header, &ret->bytes, &ret->n, PEM_FLAG_SECURE) > 0;
}

static EVP_PKEY *der_parse(int type, const uint8_t *bytes, long n, GError **error)
{
	const uint8_t *at = bytes;
	EVP_PKEY *key = type ? d2i_PrivateKey(type, NULL, &at, n) : d2i_AutoPrivateKey(NULL, &at, n);
	if (key && at == bytes + n)
		return key;
	EVP_PKEY_free(key);
	return error_null(error, ERROR_INVALID_ARGUMENT, "ssh: malformed private key");
}

static const struct {
	const char *name;
	int type;
} der_names[] = {{"RSA PRIVATE KEY", EVP_PKEY_RSA}, {"EC PRIVATE KEY", EVP_PKEY_EC}, {"PRIVATE KEY", 0}};

static EVP_PKEY *pem_parse(const struct pem *p, GError **error)
{
	if (strstr(p->header, "ENCRYPTED"))
		return error_null(error, ERROR_INVALID_ARGUMENT, "ssh: this private key is passphrase protected");
	if (g_str_equal(p->name, "OPENSSH PRIVATE KEY"))
		return openssh_key_parse(p->bytes, (size_t)p->n, error);
	for (size_t i = 0; i < G_N_ELEMENTS(der_names); i++)
		if (g_str_equal(p->name, der_names[i].name))
			return der_parse(der_names[i].type, p->bytes, p->n, error);
	g_autofree char *quoted = go_quote(p->name);
	return error_null(error, ERROR_INVALID_ARGUMENT, "ssh: unsupported key type %s", quoted);
}

ssh_key *ssh_key_parse(const char *text, size_t n, GError **error)
{
	struct pem p = {NULL};
	g_autoptr(BIO) bio = BIO_new_mem_buf(text, (int)n);
	bool found = bio && pem_next(bio, &p);
	/* "openssl ecparam -genkey" writes the curve before the key */
	if (found && g_str_equal(p.name, "EC PARAMETERS"))
		found = pem_next(bio, &p);
	if (!found)
		error_set(error, ERROR_INVALID_ARGUMENT, "ssh: no key found");
	EVP_PKEY *secret = found ? pem_parse(&p, error) : NULL;
	ssh_key *key = secret ? key_new(secret, error) : NULL;
	pem_clear(&p);
	ERR_clear_error();
	return key;
}

/* Reads at most max bytes; returns their number, or -1. */
static ssize_t read_start(int fd, char *buffer, size_t max)
{
	size_t n = 0;
	while (n < max) {
		ssize_t got = read(fd, buffer + n, max - n);
		if (got < 0 && errno != EINTR)
			return -1;
		if (got == 0)
			break;
		if (got > 0)
			n += (size_t)got;
	}
	return (ssize_t)n;
}

ssh_key *ssh_key_read(const char *path, GError **error)
{
	scoped_fd fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return error_null_errno(error, errno, "failed to open %s: open %s", path, path);
	g_autofree char *text = g_malloc(LIMIT_SSH_KEY_BYTES);
	ssize_t n = read_start(fd, text, LIMIT_SSH_KEY_BYTES);
	if (n < 0)
		return error_null_errno(error, errno, "failed to read %s: read %s", path, path);
	ssh_key *key = ssh_key_parse(text, (size_t)n, error);
	OPENSSL_cleanse(text, (size_t)n);
	if (!key)
		g_prefix_error(error, "failed to parse %s: ", path);
	return key;
}
