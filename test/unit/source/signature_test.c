/* SPDX-License-Identifier: Apache-2.0 */
#include "source/signature.h"
#include "base/limits.h"
#include "base/scope.h"
#include "lib/outcome.h"
#include "source/signature_ssh.h"
#include "unit/source/signature_data.h"
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define DATA "signed data\n"
#define KEY_ID "signature by "

/* Returns the error's text without the key's id, "" if there is none. Owned. */
static char *pgp(const char *key, const char *signature, bool reject_expired)
{
	struct signature_key k = {key, reject_expired};
	g_autoptr(GError) error = NULL;
	scoped_fd data = signature_file_new(DATA, strlen(DATA), &error);
	g_assert_no_error(error);
	if (signature_verify_pgp(data, signature, strlen(signature), &k, NULL, &error))
		return g_strdup("");
	g_assert_nonnull(error);
	const char *text = error->message, *colon = strchr(text, ':');
	return g_strdup(g_str_has_prefix(text, KEY_ID) && colon ? colon + 2 : text);
}

static void test_pgp(void)
{
	static const struct {
		const char *key, *signature;
		const char *want, *want_strict; /* with reject_expired; NULL: the same */
	} cases[] = {
		{good_key, good_signature, "", NULL},
		{subkey_key, subkey_signature, "", NULL},
		{good_key, other_signature, "openpgp: invalid signature: it does not match the data", NULL},
		{stranger_key, good_signature, "openpgp: signature made by unknown entity", NULL},
		{good_key, sha1_signature, "rejecting weak/unknown hash: SHA-1", NULL},
		{good_key, expired_signature, "", "openpgp: signature expired"},
		{expired_key, early_signature, "", "openpgp: key expired"},
		{expired_key, late_signature, "openpgp: key expired", NULL},
		{expired_revoked_key, early_signature, "key revoked", NULL},
		{revoked_key, revoked_signature, "key revoked", NULL},
		{short_key, short_signature, "RSA key too short: 1024 bits", NULL},
		/* The first one whose key is known counts. */
		{good_key, two_signatures, "", NULL},
		{stranger_key, two_signatures, "", NULL},
		{revoked_key, two_signatures, "openpgp: signature made by unknown entity", NULL},
		{good_key, inline_signature, "expected signature block, got: PGP MESSAGE", NULL},
		{good_key, good_key, "expected signature block, got: PGP PUBLIC KEY BLOCK", NULL},
		{good_key, "", "failed to decode armored signature: EOF", NULL},
		{good_key, "-----BEGIN PGP SIGNATURE-----\n\n",
		 "failed to decode armored signature: openpgp: invalid data: armor invalid", NULL},
		{good_key, "-----BEGIN PGP SIGNATURE-----\n\n-----END PGP SIGNATURE-----\n",
		 "no signature packet found", NULL},
		{"", good_signature, "failed to read armored public key: no armored data found", NULL},
		{ssh_rsa_key, good_signature, "failed to read armored public key: no armored data found", NULL},
		{good_signature, good_signature, "expected public key block, got: PGP SIGNATURE", NULL},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *got = pgp(cases[i].key, cases[i].signature, false);
		g_autofree char *strict = pgp(cases[i].key, cases[i].signature, true);
		g_test_message("case %zu", i);
		g_assert_cmpstr(got, ==, cases[i].want);
		g_assert_cmpstr(strict, ==, cases[i].want_strict ? cases[i].want_strict : cases[i].want);
	}
	/* The time is that of the signature. */
	g_autofree char *future = pgp(good_key, future_signature, false);
	g_assert_cmpstr(future, ==, "signature creation time is in the future: 4070908800");
}

/* The numbers of the signature are at its end: a changed one is never accepted. */
static void test_pgp_damage(void)
{
	const char *end = strstr(good_signature, "\n=");
	for (const char *p = end - 84; p < end - 4; p++) { /* the last four may be padding */
		if (*p == '\n')
			continue;
		g_autofree char *damaged = g_strdup(good_signature);
		damaged[p - good_signature] = *p == 'A' ? 'B' : 'A';
		g_autofree char *got = pgp(good_key, damaged, false);
		g_assert_cmpstr(got, !=, "");
	}
	g_autofree char *both = g_strconcat(stranger_key, "\n", good_key, NULL);
	g_autofree char *joined = pgp(both, good_signature, false);
	g_assert_cmpstr(joined, ==, "");
	g_autofree char *much = g_strnfill((gsize)LIMIT_SIGNATURE_BYTES + 1, 'x');
	g_autofree char *large = pgp(good_key, much, false);
	g_assert_cmpstr(large, ==, "signature has 65537 bytes, limit is 65536");
	g_autofree char *keys = g_strnfill((gsize)LIMIT_PUBLIC_KEYS_BYTES + 1, 'x');
	g_autofree char *large_keys = pgp(keys, good_signature, false);
	g_assert_cmpstr(large_keys, ==, "public keys have 1048577 bytes, limit is 1048576");
}

static char *ssh(const char *key, const char *signature)
{
	struct signature_key k = {key, false};
	g_autoptr(GError) error = NULL;
	GString data = {(char *)DATA, strlen(DATA), 0};
	if (signature_verify_ssh(&data, signature, strlen(signature), &k, NULL, &error))
		return g_strdup("");
	return g_strdup(error->message);
}

static void test_ssh(void)
{
	g_autofree char *options =
		g_strconcat("# a comment\n\nnamespaces=\"file\",command=\"x y\" ", ssh_rsa_key, NULL);
	g_autofree char *second = g_strconcat(ssh_rsa_key, ssh_ed25519_key, NULL);
	g_autofree char *wrong_type = g_strconcat("ssh-rsa ", strchr(ssh_ed25519_key, ' ') + 1, NULL);
	const struct {
		const char *key, *signature, *want;
	} cases[] = {
		{ssh_ed25519_key, ssh_ed25519_signature, ""},
		{ssh_ecdsa_key, ssh_ecdsa_signature, ""},
		{ssh_rsa_key, ssh_rsa_signature, ""},
		{options, ssh_rsa_signature, ""},
		{ssh_rsa_key, ssh_ed25519_signature, "failed to verify ssh signature: public key does not match"},
		{second, ssh_ed25519_signature, "failed to verify ssh signature: public key does not match"},
		{ssh_ed25519_key, ssh_file_signature, "unexpected SSH signature namespace: \"file\""},
		{good_key, ssh_rsa_signature, "failed to parse ssh public key: ssh: no key found"},
		{wrong_type, ssh_ed25519_signature, "failed to parse ssh public key: ssh: no key found"},
		{"", ssh_rsa_signature, "failed to parse ssh public key: ssh: no key found"},
		{ssh_rsa_key, good_signature, "failed to decode ssh signature PEM block"},
		{ssh_rsa_key, "-----BEGIN SSH SIGNATURE-----\n-----END SSH SIGNATURE-----\n",
		 "failed to parse ssh signature: damaged"},
		{ssh_rsa_key, "-----BEGIN SSH SIGNATURE-----\nU1NIU0lH\n-----END SSH SIGNATURE-----\n",
		 "failed to parse ssh signature: damaged"},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *got = ssh(cases[i].key, cases[i].signature);
		g_test_message("case %zu", i);
		g_assert_cmpstr(got, ==, cases[i].want);
	}
	struct signature_ssh s;
	g_autoptr(GBytes) key = NULL;
	g_autofree char *line = NULL;
	assert_succeeds(signature_ssh_read(ssh_file_signature, strlen(ssh_file_signature), &s, &failure));
	assert_succeeds(signature_ssh_key_read(ssh_ed25519_key, &line, &key, &failure));
	g_assert_cmpuint(s.version, ==, 1);
	g_assert_cmpstr(s.namespace, ==, "file");
	g_assert_cmpstr(s.hash, ==, "sha512");
	g_assert_true(g_bytes_equal(s.key, key));
	g_assert_true(g_str_has_prefix(ssh_ed25519_key, line));
	signature_ssh_clear(&s);
	/* Options of authorized_keys before the key, and lines that are no keys of that form. */
	const struct {
		const char *before, *after;
		bool is_key;
	} lines[] = {
		{"", " a comment", true},
		{"# comment\n\n  ", "\r", true},
		{"namespaces=\"file\" ", "", true},
		{"command=\"a b \\\" c\",no-pty  ", "", true},
		{"* ", "", true},
		{"cert-authority ", "", true},
		{"@revoked * ", "", false},
		{"a b ", "", false},
		{"\"", "", false},
		{"command=\"", "\" x", false},
		{"#", "", false},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(lines); i++) {
		g_autofree char *text = g_strconcat(lines[i].before, line, lines[i].after, NULL), *found = NULL;
		g_autoptr(GBytes) found_key = NULL;
		g_autoptr(GError) why = NULL;
		g_assert_cmpint(signature_ssh_key_read(text, &found, &found_key, &why), ==, lines[i].is_key);
		if (lines[i].is_key)
			g_assert_cmpstr(found, ==, line);
		else
			g_assert_cmpstr(why->message, ==, "failed to parse ssh public key: ssh: no key found");
	}
	g_autofree char *other = ssh(ssh_ed25519_key, ssh_other_signature);
	g_assert_true(g_str_has_prefix(other, "failed to verify ssh signature: "));
}

/* ---- objects */

#define TREE "tree 1111111111111111111111111111111111111111\n"
#define PEOPLE "author a <a@b> 1 +0000\ncommitter a <a@b> 1 +0000\n"
#define TAG "object 1111111111111111111111111111111111111111\ntype commit\ntag v1\ntagger a <a@b> 1 +0000\n"
#define PGP "-----BEGIN PGP SIGNATURE-----"

static void test_objects(void)
{
	static const struct {
		const char *raw, *want; /* "SIGNED|SIGNATURE" or "!error" */
	} cases[] = {
		{TREE PEOPLE "\nm\n", TREE PEOPLE "\nm\n|"},
		{TREE PEOPLE "gpgsig " PGP "\n \n ab\n end\n\nm\n", TREE PEOPLE "\nm\n|" PGP "\n\nab\nend"},
		{TREE "gpgsig one\n two\n" PEOPLE "x y\n z\n\nm", TREE PEOPLE "x y\n z\n\nm|one\ntwo"},
		{TREE PEOPLE "gpgsig-sha256 s\n t\n\nm\n", TREE PEOPLE "\nm\n|s\nt"},
		/* A signature in the message or in another header is not one of the commit. */
		{TREE PEOPLE "mergetag o\n " PGP "\n\n" PGP "\nx\n",
		 TREE PEOPLE "mergetag o\n " PGP "\n\n" PGP "\nx\n|"},
		{TAG "\nm\n", TAG "\nm\n\n|"},
		{TAG "\nm\n" PGP "\nab\n", TAG "\nm\n|" PGP "\nab\n"},
		{TAG "\nm\n-----BEGIN SSH SIGNATURE-----\nab\n", TAG "\nm\n|-----BEGIN SSH SIGNATURE-----\nab\n"},
		{TAG "gpgsig x\n\nm\n" PGP " \n", TAG "gpgsig x\n\nm\n" PGP " \n\n|"},
		{"", "!invalid commit object: missing tree header"},
		{"tree\n" PEOPLE "\n", "!invalid commit object: missing tree header"},
		{TREE "author a\n\ncommitter b\n", "!invalid commit object: missing committer header"},
		{"object x\n\n", "!invalid tag object: missing type header"},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_auto(git_object) o = {0};
		g_autoptr(GError) error = NULL;
		bool ok = git_object_parse(cases[i].raw, strlen(cases[i].raw), &o, &error);
		g_autofree char *got = ok ? g_strdup_printf("%s|%s", o.signed_data->str, o.signature->str)
					  : g_strconcat("!", error->message, NULL);
		g_assert_cmpstr(got, ==, cases[i].want);
	}
	/* git hash-object -t commit */
	static const char raw[] = "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n" PEOPLE "\nm\n";
	g_auto(git_object) o = {0};
	g_autoptr(GError) error = NULL;
	g_assert_true(git_object_parse(raw, strlen(raw), &o, &error));
	g_assert_true(git_object_check(&o, "3f595c507824531d0e69e7ab11dcbc3a85cf3382", &error));
	g_assert_true(git_object_check(&o, "b37bdbd8b81b7f6f6003e1c662ac28f84fb7d47fa65c701d96278b0c8ce6b13b", &error));
	g_assert_false(git_object_check(&o, "1111111111111111111111111111111111111111", &error));
	g_assert_true(g_str_has_prefix(error->message,
				       "checksum mismatch: expected 1111111111111111111111111111111111111111, got "));
	g_clear_error(&error);
	g_assert_false(git_object_check(&o, "11", &error));
	g_assert_cmpstr(error->message, ==, "unsupported sha length 2");
	struct signature_key key = {good_key, false};
	g_clear_error(&error);
	g_assert_false(signature_verify_git(&o, &key, NULL, &error));
	g_assert_cmpstr(error->message, ==, "git object is not signed");
	g_string_assign(o.signature, "x");
	g_clear_error(&error);
	g_assert_false(signature_verify_git(&o, &key, NULL, &error));
	g_assert_cmpstr(error->message, ==, "invalid signature format");
	g_string_assign(o.signed_data, DATA);
	g_string_assign(o.signature, good_signature);
	g_clear_error(&error);
	g_assert_true(signature_verify_git(&o, &key, NULL, &error));
}

static void test_missing_programs(void)
{
	g_autofree char *path = g_strdup(g_getenv("PATH"));
	g_setenv("PATH", "/nonexistent", TRUE);
	g_autofree char *got = pgp(good_key, good_signature, false);
	g_autofree char *ssh_got = ssh(ssh_ed25519_key, ssh_ed25519_signature);
	g_setenv("PATH", path, TRUE);
	g_assert_cmpstr(
		got, ==,
		"gpgv, which verifies signatures, is not installed where buildkitd runs: install the package gpgv");
	g_assert_cmpstr(ssh_got, ==,
			"ssh-keygen, which verifies signatures, is not installed where buildkitd runs: install the "
			"package openssh-client");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/signature/pgp", test_pgp);
	g_test_add_func("/signature/pgp-damage", test_pgp_damage);
	g_test_add_func("/signature/ssh", test_ssh);
	g_test_add_func("/signature/objects", test_objects);
	g_test_add_func("/signature/missing-programs", test_missing_programs);
	return g_test_run();
}
