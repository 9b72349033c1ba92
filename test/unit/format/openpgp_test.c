/* SPDX-License-Identifier: Apache-2.0 */
#include "format/openpgp.h"
#include "lib/outcome.h"
#include <string.h>

/* Reads all blocks; returns "TYPE=hex;..." and the error after "!". Owned. */
static char *read_all(const char *text)
{
	struct openpgp_armor r = {text, text + strlen(text)};
	g_autoptr(GString) all = g_string_new(NULL);
	g_autoptr(GError) error = NULL;
	for (;;) {
		g_autofree char *type = NULL;
		g_autoptr(GBytes) bytes = NULL;
		if (!openpgp_armor_next(&r, &type, &bytes, &error))
			break;
		gsize n;
		const guchar *data = g_bytes_get_data(bytes, &n);
		g_string_append_printf(all, "%s=", type);
		for (gsize i = 0; i < n; i++)
			g_string_append_printf(all, "%02x", data[i]);
		g_string_append_c(all, ';');
	}
	if (error)
		g_string_append_printf(all, "!%s", error->message);
	return g_strdup(all->str);
}

#define DAMAGED "!openpgp: invalid data: armor invalid"

static void test_armor(void)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{"", ""},
		{"ssh-ed25519 AAAA\n", ""},
		{"-----BEGIN X-----\n\nAAEC\n-----END X-----\n", "X=000102;"},
		{"text\n-----BEGIN X-----\r\nVersion: 1\r\n\r\nAAEC\r\nAwQ=\r\n=abcd\r\n-----END X-----",
		 "X=0001020304;"},
		{"  -----BEGIN X-----\n  Version: 1\n  \n  AAEC\n\tAwQ=\n  =abcd\n  -----END X-----\n",
		 "X=0001020304;"},
		{"-----BEGIN A-----\n\nAA==\n-----END A-----\n\n-----BEGIN B-----\n\nAQ==\n-----END B-----\n",
		 "A=00;B=01;"},
		{"-----BEGIN X-----\n\n-----END X-----\n", "X=;"},
		{"-----BEGIN X-----\n", DAMAGED},
		{"-----BEGIN X-----\nVersion: 1\n", DAMAGED},
		{"-----BEGIN X-----\n\nAAEC\n", DAMAGED},
		{"-----BEGIN X-----\n\nAA\1C\n-----END X-----\n", DAMAGED},
		{"-----BEGIN X-----\n\nAA==\nAAEC\n-----END X-----\n", DAMAGED},
		{"-----BEGIN -----\n\nAAEC\n-----END -----\n", ""},
		{"-----BEGIN X----\n\nAAEC\n-----END X-----\n", ""},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *got = read_all(cases[i].text);
		g_assert_cmpstr(got, ==, cases[i].want);
	}
}

static void test_signatures(void)
{
	static const struct {
		const char *bytes;
		size_t n;
		const char *want; /* type, key, hash; or "!error" */
	} cases[] = {
		{"\x88\x04\x04\x00\x16\x08", 6, "0 22 8"},                  /* old format, one byte of length */
		{"\x89\x00\x05\x04\x01\x01\x0a\x00", 8, "1 1 10"},          /* two bytes */
		{"\x8a\x00\x00\x00\x04\x04\x00\x16\x08", 9, "0 22 8"},      /* four bytes */
		{"\xc2\x04\x04\x00\x16\x08", 6, "0 22 8"},                  /* new format */
		{"\xc2\xff\x00\x00\x00\x04\x04\x00\x16\x08", 10, "0 22 8"}, /* five bytes of length */
		{"\xc2\x04\x04\x00\x16\x08\xc2\x04\x04\x01\x01\x0a", 12, "0 22 8"},
		{"", 0, "!no signature packet found"},
		{"\x88\x05\x04\x00\x16\x08", 6, "!openpgp: invalid data: damaged packet"},
		{"\x88", 1, "!openpgp: invalid data: damaged packet"},
		{"\x08\x04\x04\x00\x16\x08", 6, "!openpgp: invalid data: damaged packet"},
		{"\x8b\x04\x04\x00\x16\x08", 6, "!openpgp: invalid data: damaged packet"}, /* no length */
		{"\xc2\xe2\x04\x00\x16\x08", 6, "!openpgp: invalid data: damaged packet"}, /* parts */
		{"\xc2\xff\xff\xff\xff\xff\x04\x00", 8, "!openpgp: invalid data: damaged packet"},
		{"\x88\x03\x04\x00\x16", 5, "!openpgp: invalid data: unsupported version of a signature"},
		{"\x88\x04\x03\x00\x16\x08", 6, "!openpgp: invalid data: unsupported version of a signature"},
		{"\x88\x04\x04\x00\x16\x08\xcb\x01\x00", 9, "!openpgp: invalid data: non signature packet found"},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct openpgp_signature s;
		g_autoptr(GError) error = NULL;
		bool ok = openpgp_signature_read(cases[i].bytes, cases[i].n, &s, &error);
		g_autofree char *got = ok ? g_strdup_printf("%u %u %u", s.type, s.key_algorithm, s.hash_algorithm)
					  : g_strconcat("!", error->message, NULL);
		g_assert_cmpstr(got, ==, cases[i].want);
	}
	g_autoptr(GString) many = g_string_new(NULL);
	for (int i = 0; i < 17; i++)
		g_string_append_len(many, "\x88\x04\x04\x00\x16\x08", 6);
	struct openpgp_signature s;
	g_autoptr(GError) error = NULL;
	g_assert_true(openpgp_signature_read(many->str, 16 * 6, &s, &error));
	g_assert_false(openpgp_signature_read(many->str, 17 * 6, &s, &error));
	g_assert_cmpstr(error->message, ==, "openpgp: invalid data: too many signatures");
}

/* A key packet of version 4: RSA with 1024 bits, or EdDSA. */
#define RSA_KEY "\x98\x09\x04\x00\x00\x00\x00\x01\x04\x00\xff"
#define EDDSA_KEY "\x98\x07\x04\x00\x00\x00\x00\x16\x00"
#define RSA_SUBKEY "\xb8\x09\x04\x00\x00\x00\x01\x01\x08\x00\xff"
#define REVOCATION "\x88\x04\x04\x20\x16\x08"

static char *fingerprint(const char *packet, size_t n)
{
	g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA1);
	const guchar head[] = {0x99, 0, (guchar)(n - 2)};
	g_checksum_update(sum, head, sizeof head);
	g_checksum_update(sum, (const guchar *)packet + 2, (gssize)n - 2);
	return g_ascii_strup(g_checksum_get_string(sum), -1);
}

static void test_keys(void)
{
	static const char ring[] = EDDSA_KEY REVOCATION RSA_KEY RSA_SUBKEY;
	size_t n = sizeof ring - 1;
	g_autofree char *eddsa = fingerprint(EDDSA_KEY, sizeof EDDSA_KEY - 1);
	g_autofree char *rsa = fingerprint(RSA_KEY, sizeof RSA_KEY - 1);
	g_autofree char *sub = fingerprint(RSA_SUBKEY, sizeof RSA_SUBKEY - 1);
	struct openpgp_key k;
	g_assert_true(openpgp_key_find(ring, n, eddsa, &k));
	g_assert_cmpuint(k.rsa_bits, ==, 0);
	g_assert_true(k.has_revocations);
	g_assert_true(openpgp_key_find(ring, n, rsa, &k));
	g_assert_cmpuint(k.rsa_bits, ==, 1024);
	g_assert_false(k.has_revocations);
	g_assert_true(openpgp_key_find(ring, n, sub, &k));
	g_assert_cmpuint(k.rsa_bits, ==, 2048);
	g_assert_false(openpgp_key_find(ring, n, "0000000000000000000000000000000000000000", &k));
	g_assert_false(openpgp_key_find(ring, sizeof EDDSA_KEY - 1, rsa, &k));
	g_assert_false(openpgp_key_find("", 0, rsa, &k));
	assert_succeeds(openpgp_keys_check(ring, n, &failure));
	assert_succeeds(openpgp_keys_check("", 0, &failure));
	g_autoptr(GError) error = NULL;
	g_assert_false(openpgp_keys_check(ring, n - 1, &error));
	g_assert_cmpstr(error->message, ==, "openpgp: invalid data: damaged packet");
	for (size_t cut = 0; cut < n; cut++) /* no prefix is read beyond its end */
		openpgp_key_find(ring, cut, sub, &k);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/openpgp/armor", test_armor);
	g_test_add_func("/openpgp/signatures", test_signatures);
	g_test_add_func("/openpgp/keys", test_keys);
	return g_test_run();
}
