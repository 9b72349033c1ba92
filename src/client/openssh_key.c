/* SPDX-License-Identifier: Apache-2.0 */
#include "client/openssh_key.h"
#include "base/limits.h"
#include "client/ssh_wire.h"
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <string.h>

#define MAGIC "openssh-key-v1" /* including its NUL */
#define ECDSA_PREFIX "ecdsa-sha2-"
enum { ED25519_BYTES = 32, ECDSA_BITS = 521 };

struct key_type {
	const char *name;
	EVP_PKEY *(*read)(struct ssh_reader *r, const struct key_type *type);
	const char *group; /* OpenSSL's name of the curve */
};

static void *fail(GError **error, const char *text)
{
	return error_null(error, ERROR_INVALID_ARGUMENT, "ssh: %s", text);
}

/* ---- parameters of a key, by name */

G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_PKEY_CTX, EVP_PKEY_CTX_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(OSSL_PARAM, OSSL_PARAM_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(OSSL_PARAM_BLD, OSSL_PARAM_BLD_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BN_CTX, BN_CTX_free)

static EVP_PKEY *key_of_parameters(const char *type, OSSL_PARAM_BLD *builder)
{
	EVP_PKEY *key = NULL;
	g_autoptr(OSSL_PARAM) parameters = OSSL_PARAM_BLD_to_param(builder);
	g_autoptr(EVP_PKEY_CTX) ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	if (!parameters || !ctx || EVP_PKEY_fromdata_init(ctx) <= 0)
		return NULL;
	return EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, parameters) > 0 ? key : NULL;
}

/* ---- RSA */

/* Components in the order of the file, and those that OpenSSL needs in addition. */
enum { RSA_N, RSA_E, RSA_D, RSA_IQMP, RSA_P, RSA_Q, RSA_READ, RSA_DMP1 = RSA_READ, RSA_DMQ1, RSA_NUMBERS };

static const char *const rsa_names[RSA_NUMBERS] = {
	OSSL_PKEY_PARAM_RSA_N,         OSSL_PKEY_PARAM_RSA_E,
	OSSL_PKEY_PARAM_RSA_D,         OSSL_PKEY_PARAM_RSA_COEFFICIENT1,
	OSSL_PKEY_PARAM_RSA_FACTOR1,   OSSL_PKEY_PARAM_RSA_FACTOR2,
	OSSL_PKEY_PARAM_RSA_EXPONENT1, OSSL_PKEY_PARAM_RSA_EXPONENT2,
};

/* Computes exponent mod (prime - 1); free with BN_clear_free. */
static BIGNUM *crt_exponent(const BIGNUM *exponent, const BIGNUM *prime)
{
	g_autoptr(BN_CTX) ctx = BN_CTX_secure_new();
	BIGNUM *less = BN_secure_new(), *result = BN_secure_new();
	bool ok = ctx && less && result && BN_sub(less, prime, BN_value_one()) && !BN_is_zero(less) &&
		  !BN_is_negative(less);
	if (ok) {
		BN_set_flags(less, BN_FLG_CONSTTIME);
		ok = BN_mod(result, exponent, less, ctx);
	}
	BN_clear_free(less);
	if (ok)
		return result;
	BN_clear_free(result);
	return NULL;
}

static bool rsa_read_numbers(struct ssh_reader *r, BIGNUM *numbers[RSA_NUMBERS])
{
	for (size_t i = 0; i < RSA_READ; i++)
		numbers[i] = ssh_read_number(r, LIMIT_SSH_RSA_BITS);
	if (r->failed)
		return false;
	numbers[RSA_DMP1] = crt_exponent(numbers[RSA_D], numbers[RSA_P]);
	numbers[RSA_DMQ1] = crt_exponent(numbers[RSA_D], numbers[RSA_Q]);
	return numbers[RSA_DMP1] && numbers[RSA_DMQ1];
}

static EVP_PKEY *rsa_build(BIGNUM *const numbers[RSA_NUMBERS])
{
	g_autoptr(OSSL_PARAM_BLD) builder = OSSL_PARAM_BLD_new();
	for (size_t i = 0; i < RSA_NUMBERS; i++)
		if (!builder || !OSSL_PARAM_BLD_push_BN(builder, rsa_names[i], numbers[i]))
			return NULL;
	return key_of_parameters("RSA", builder);
}

static EVP_PKEY *rsa_read(struct ssh_reader *r, const struct key_type *type)
{
	BIGNUM *numbers[RSA_NUMBERS] = {NULL};
	EVP_PKEY *key = rsa_read_numbers(r, numbers) ? rsa_build(numbers) : NULL;
	for (size_t i = 0; i < RSA_NUMBERS; i++)
		BN_clear_free(numbers[i]);
	return key;
}

/* ---- ECDSA */

static EVP_PKEY *ecdsa_build(const char *group, struct slice point, BIGNUM *scalar)
{
	g_autoptr(OSSL_PARAM_BLD) builder = OSSL_PARAM_BLD_new();
	if (!builder || !OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, group, 0) ||
	    !OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point.ptr, point.len) ||
	    !OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_PRIV_KEY, scalar))
		return NULL;
	return key_of_parameters("EC", builder);
}

static EVP_PKEY *ecdsa_read(struct ssh_reader *r, const struct key_type *type)
{
	struct slice name = ssh_read_string(r);
	struct slice point = ssh_read_string(r);
	BIGNUM *scalar = ssh_read_number(r, ECDSA_BITS);
	bool ok = scalar && slice_is(name, type->name + strlen(ECDSA_PREFIX)) && point.len > 0;
	EVP_PKEY *key = ok ? ecdsa_build(type->group, point, scalar) : NULL;
	BN_clear_free(scalar);
	return key;
}

/* ---- Ed25519 */

/* The private part is the seed, followed by the public key. */
static EVP_PKEY *ed25519_read(struct ssh_reader *r, const struct key_type *type)
{
	struct slice public = ssh_read_string(r);
	struct slice pair = ssh_read_string(r);
	if (public.len != ED25519_BYTES || pair.len != 2 * ED25519_BYTES)
		return NULL;
	uint8_t derived[ED25519_BYTES];
	size_t n = sizeof(derived);
	EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, pair.ptr, ED25519_BYTES);
	if (key && EVP_PKEY_get_raw_public_key(key, derived, &n) > 0 && memcmp(derived, public.ptr, n) == 0 &&
	    memcmp(derived, pair.ptr + ED25519_BYTES, n) == 0)
		return key;
	EVP_PKEY_free(key);
	return NULL;
}

/* ---- file */

static const struct key_type types[] = {
	{"ssh-rsa", rsa_read, NULL},
	{"ssh-ed25519", ed25519_read, NULL},
	{ECDSA_PREFIX "nistp256", ecdsa_read, "prime256v1"},
	{ECDSA_PREFIX "nistp384", ecdsa_read, "secp384r1"},
	{ECDSA_PREFIX "nistp521", ecdsa_read, "secp521r1"},
};

/* The comment, followed by padding bytes 1, 2, 3, ... up to the block size. */
static bool ends_well(struct ssh_reader *r)
{
	ssh_read_string(r);
	for (size_t i = 0; i < r->rest.len; i++)
		if (r->rest.ptr[i] != (uint8_t)(i + 1))
			return false;
	return !r->failed && r->rest.len < 256;
}

static EVP_PKEY *read_private(struct slice private, GError **error)
{
	struct ssh_reader r = {private, false};
	uint32_t check = ssh_read_uint32(&r), again = ssh_read_uint32(&r);
	struct slice type = ssh_read_string(&r);
	if (r.failed || check != again)
		return fail(error, "malformed OpenSSH key");
	for (size_t i = 0; i < G_N_ELEMENTS(types); i++) {
		if (!slice_is(type, types[i].name))
			continue;
		EVP_PKEY *key = types[i].read(&r, &types[i]);
		if (key && ends_well(&r))
			return key;
		EVP_PKEY_free(key);
		return fail(error, "malformed OpenSSH key");
	}
	return fail(error, "unhandled key type");
}

EVP_PKEY *openssh_key_parse(const uint8_t *bytes, size_t n, GError **error)
{
	if (n < sizeof(MAGIC) || memcmp(bytes, MAGIC, sizeof(MAGIC)) != 0)
		return fail(error, "invalid openssh private key format");
	struct ssh_reader r = {{bytes + sizeof(MAGIC), n - sizeof(MAGIC)}, false};
	struct slice cipher = ssh_read_string(&r), kdf = ssh_read_string(&r), kdf_options = ssh_read_string(&r);
	uint32_t count = ssh_read_uint32(&r);
	ssh_read_string(&r); /* public key; the private section repeats it */
	struct slice private = ssh_read_string(&r);
	if (r.failed)
		return fail(error, "invalid openssh private key format");
	if (count != 1)
		return fail(error, "multi-key files are not supported");
	if (!slice_is(cipher, "none") || !slice_is(kdf, "none"))
		return fail(error, "this private key is passphrase protected");
	if (kdf_options.len > 0)
		return fail(error, "invalid openssh private key");
	return read_private(private, error);
}
