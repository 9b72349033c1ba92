/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys that ssh-keygen and openssl create now: the public key is compared with theirs, signatures are verified by
 * OpenSSL.
 */
#include "client/ssh_key.h"
#include "client/ssh_wire.h"
#include "lib/outcome.h"
#include "os/tree.h"
#include <fcntl.h>
#include <glib/gstdio.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <string.h>

struct rig {
	char *dir;
};

static void rig_init(struct rig *r)
{
	r->dir = g_dir_make_tmp("ssh-key-XXXXXX", NULL);
}

static void rig_clear(struct rig *r)
{
	assert_succeeds(tree_remove_at(AT_FDCWD, r->dir, &failure));
	g_free(r->dir);
}

static void run(struct rig *r, const char *script)
{
	const char *argv[] = {"/bin/sh", "-ec", script, NULL};
	g_autoptr(GError) error = NULL;
	int status = 0;
	g_autofree char *text = NULL;
	g_spawn_sync(r->dir, (char **)argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, NULL, &text, &status, &error);
	g_assert_no_error(error);
	if (status != 0)
		g_error("%s: %s", script, text);
}

static char *path_in(struct rig *r, const char *name)
{
	return g_build_filename(r->dir, name, NULL);
}

/* ---- verification */

/* "key.pub", the line of an authorized_keys file. */
static void assert_public(struct rig *r, const ssh_key *key)
{
	g_autofree char *path = path_in(r, "key.pub"), *line = NULL;
	gsize n, expected_n;
	if (!g_file_get_contents(path, &line, NULL, NULL))
		return;
	g_auto(GStrv) fields = g_strsplit_set(line, " \n", 3);
	g_autofree guchar *expected = g_base64_decode(fields[1], &expected_n);
	const void *public = g_bytes_get_data(ssh_key_public(key), &n);
	g_assert_cmpmem(public, n, expected, expected_n);
}

/* "key.pem", or the end of key.pub for an Ed25519 key. */
static EVP_PKEY *read_public(struct rig *r, const ssh_key *key)
{
	g_autofree char *path = path_in(r, "key.pem"), *pub = path_in(r, "key.pub");
	FILE *f = fopen(path, "re");
	gsize n;
	const uint8_t *bytes = g_bytes_get_data(ssh_key_public(key), &n);
	if (!f) {
		g_assert_cmpint(g_access(pub, F_OK), ==, 0);
		return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, bytes + n - 32, 32);
	}
	EVP_PKEY *public = PEM_read_PUBKEY(f, NULL, NULL, NULL);
	fclose(f);
	g_assert_nonnull(public);
	return public;
}

/* Converts an ECDSA signature from SSH's to OpenSSL's encoding. */
static GBytes *to_der(struct slice signature)
{
	struct ssh_reader r = {signature, false};
	unsigned char *der = NULL;
	ECDSA_SIG *both = ECDSA_SIG_new();
	BIGNUM *first = ssh_read_number(&r, 521), *second = ssh_read_number(&r, 521);
	g_assert_true(!r.failed && r.rest.len == 0 && ECDSA_SIG_set0(both, first, second));
	int n = i2d_ECDSA_SIG(both, &der);
	GBytes *bytes = g_bytes_new(der, (gsize)n);
	OPENSSL_free(der);
	ECDSA_SIG_free(both);
	return bytes;
}

static void assert_signs(EVP_PKEY *public, const ssh_key *key, uint32_t flags, const char *algorithm,
			 const char *digest)
{
	static const char text[] = "what is signed";
	g_autoptr(GByteArray) out = g_byte_array_new();
	g_assert_true(ssh_key_sign(key, (struct slice){(const uint8_t *)text, sizeof(text)}, flags, out));
	struct ssh_reader r = {{out->data, out->len}, false};
	struct slice name = ssh_read_string(&r), signature = ssh_read_string(&r);
	g_assert_true(!r.failed && r.rest.len == 0 && slice_is(name, algorithm));
	g_autoptr(GBytes) bytes = EVP_PKEY_get_base_id(public) == EVP_PKEY_EC
					  ? to_der(signature)
					  : g_bytes_new(signature.ptr, signature.len);
	gsize n;
	const uint8_t *start = g_bytes_get_data(bytes, &n);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	g_assert_cmpint(EVP_DigestVerifyInit_ex(ctx, NULL, digest, NULL, NULL, public, NULL), ==, 1);
	g_assert_cmpint(EVP_DigestVerify(ctx, start, n, (const uint8_t *)text, sizeof(text)), ==, 1);
	EVP_MD_CTX_free(ctx);
}

static void assert_refuses(const ssh_key *key, uint32_t flags)
{
	g_autoptr(GByteArray) out = g_byte_array_new();
	g_assert_false(ssh_key_sign(key, (struct slice){(const uint8_t *)"x", 1}, flags, out));
}

/* ---- keys */

#define PUB_OF_OPENSSH "; ssh-keygen -e -m PKCS8 -f key.pub > key.pem"
#define PUB_OF_OPENSSL "; openssl pkey -in key -pubout -out key.pem; ssh-keygen -i -m PKCS8 -f key.pem > key.pub"

static const struct {
	const char *name, *script, *algorithm, *digest;
} keys[] = {
	{"openssh-ed25519", "ssh-keygen -q -t ed25519 -N '' -f key", "ssh-ed25519", NULL},
	{"openssh-rsa", "ssh-keygen -q -t rsa -b 2048 -N '' -f key" PUB_OF_OPENSSH, "ssh-rsa", "SHA1"},
	{"openssh-p256", "ssh-keygen -q -t ecdsa -b 256 -N '' -f key" PUB_OF_OPENSSH, "ecdsa-sha2-nistp256", "SHA256"},
	{"openssh-p384", "ssh-keygen -q -t ecdsa -b 384 -N '' -f key" PUB_OF_OPENSSH, "ecdsa-sha2-nistp384", "SHA384"},
	{"openssh-p521", "ssh-keygen -q -t ecdsa -b 521 -N '' -f key" PUB_OF_OPENSSH, "ecdsa-sha2-nistp521", "SHA512"},
	{"pkcs1-rsa", "ssh-keygen -q -m PEM -t rsa -b 2048 -N '' -f key" PUB_OF_OPENSSH, "ssh-rsa", "SHA1"},
	{"sec1-p384", "ssh-keygen -q -m PEM -t ecdsa -b 384 -N '' -f key" PUB_OF_OPENSSH, "ecdsa-sha2-nistp384",
	 "SHA384"},
	{"pkcs8-p521", "ssh-keygen -q -m PKCS8 -t ecdsa -b 521 -N '' -f key" PUB_OF_OPENSSH, "ecdsa-sha2-nistp521",
	 "SHA512"},
	{"pkcs8-rsa", "openssl genrsa -out key 2048" PUB_OF_OPENSSL, "ssh-rsa", "SHA1"},
	{"pkcs1-rsa-openssl", "openssl genrsa -traditional -out key 2048" PUB_OF_OPENSSL, "ssh-rsa", "SHA1"},
	{"pkcs8-ed25519", "openssl genpkey -algorithm ED25519 -out key; openssl pkey -in key -pubout -out key.pem",
	 "ssh-ed25519", NULL},
	{"sec1-after-parameters", "openssl ecparam -name prime256v1 -genkey -out key" PUB_OF_OPENSSL,
	 "ecdsa-sha2-nistp256", "SHA256"},
	{"pkcs8-compressed-point",
	 "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 | "
	 "openssl ec -conv_form compressed -out key 2> log" PUB_OF_OPENSSL,
	 "ecdsa-sha2-nistp256", "SHA256"},
};

static void test_key(gconstpointer data)
{
	size_t i = GPOINTER_TO_SIZE(data);
	struct rig r;
	g_autoptr(GError) error = NULL;
	rig_init(&r);
	run(&r, keys[i].script);
	g_autofree char *path = path_in(&r, "key");
	g_autoptr(ssh_key) key = ssh_key_read(path, &error);
	g_assert_no_error(error);
	assert_public(&r, key);
	EVP_PKEY *public = read_public(&r, key);
	assert_signs(public, key, 0, keys[i].algorithm, keys[i].digest);
	if (g_str_equal(keys[i].algorithm, "ssh-rsa")) {
		assert_signs(public, key, SSH_SIGN_RSA_SHA2_256, "rsa-sha2-256", "SHA256");
		assert_signs(public, key, SSH_SIGN_RSA_SHA2_512, "rsa-sha2-512", "SHA512");
	} else {
		assert_refuses(key, SSH_SIGN_RSA_SHA2_256);
	}
	assert_refuses(key, SSH_SIGN_RSA_SHA2_256 | SSH_SIGN_RSA_SHA2_512);
	assert_refuses(key, 1);
	EVP_PKEY_free(public);
	rig_clear(&r);
}

/* ---- invalid keys */

static const struct {
	const char *script, *error;
} refusals[] = {
	{"ssh-keygen -q -t ed25519 -N secret -f key", "ssh: this private key is passphrase protected"},
	{"ssh-keygen -q -m PEM -t rsa -b 2048 -N secret -f key", "ssh: this private key is passphrase protected"},
	{"openssl genpkey -algorithm ED25519 -aes128 -pass pass:secret -out key",
	 "ssh: unsupported key type \"ENCRYPTED PRIVATE KEY\""},
	{"openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-224 -out key",
	 "ssh: only P-256, P-384 and P-521 EC keys are supported"},
	{"openssl genpkey -algorithm X25519 -out key", "ssh: unsupported key type"},
	{"openssl genrsa -out key 512 2> log", "ssh: RSA key of 512 bits: expected 1024 to 16384"},
	{"echo no key > key", "ssh: no key found"},
	{": > key", "ssh: no key found"},
	{"ssh-keygen -q -t ed25519 -N '' -f other; cp other.pub key", "ssh: no key found"},
	{"ssh-keygen -q -t ed25519 -N '' -f other; { head -c 102400 /dev/zero; cat other; } > key",
	 "ssh: no key found"},
	{"{ echo -----BEGIN PRIVATE KEY-----; echo AAAA; echo -----END PRIVATE KEY-----; } > key",
	 "ssh: malformed private key"},
	{"{ echo -----BEGIN OPENSSH PRIVATE KEY-----; echo AAAA; echo -----END OPENSSH PRIVATE KEY-----; } > key",
	 "ssh: invalid openssh private key format"},
	{"openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=x -keyout other -out key 2> log",
	 "ssh: unsupported key type \"CERTIFICATE\""},
};

static void test_refusals(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(refusals); i++) {
		struct rig r;
		g_autoptr(GError) error = NULL;
		rig_init(&r);
		run(&r, refusals[i].script);
		g_autofree char *path = path_in(&r, "key");
		g_autofree char *expected = g_strdup_printf("failed to parse %s: %s", path, refusals[i].error);
		g_assert_null(ssh_key_read(path, &error));
		g_assert_cmpstr(error->message, ==, expected);
		g_assert_true(error_is(error, ERROR_INVALID_ARGUMENT));
		rig_clear(&r);
	}
}

static void test_unreadable(void)
{
	struct rig r;
	g_autoptr(GError) directory = NULL;
	g_autoptr(GError) absent = NULL;
	rig_init(&r);
	g_autofree char *path = path_in(&r, "absent");
	g_autofree char *no_file = g_strdup_printf("failed to open %s: open %s: no such file or directory", path, path);
	g_autofree char *is_dir = g_strdup_printf("failed to read %s: read %s: is a directory", r.dir, r.dir);
	g_assert_null(ssh_key_read(path, &absent));
	g_assert_cmpstr(absent->message, ==, no_file);
	g_assert_null(ssh_key_read(r.dir, &directory));
	g_assert_cmpstr(directory->message, ==, is_dir);
	rig_clear(&r);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
		g_autofree char *name = g_strdup_printf("/ssh-key/%s", keys[i].name);
		g_test_add_data_func(name, GSIZE_TO_POINTER(i), test_key);
	}
	g_test_add_func("/ssh-key/refusals", test_refusals);
	g_test_add_func("/ssh-key/unreadable", test_unreadable);
	return g_test_run();
}
