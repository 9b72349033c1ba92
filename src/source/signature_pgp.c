/* SPDX-License-Identifier: Apache-2.0 */
/* OpenPGP signatures: gpgv verifies, its status lines are judged here (gnupg's doc/DETAILS). */
#include "base/limits.h"
#include "base/scope.h"
#include "format/openpgp.h"
#include "source/signature.h"
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#define STATUS "[GNUPG:] "
#define RSA_BITS_MIN 2048
#define FUTURE_S 300 /* a signature may be that much newer than this host's clock */
#define NO_PUBLIC_KEY "9"

/* ---- input */

static bool signature_decode(const char *text, size_t n, GBytes **ret, GError **error)
{
	struct openpgp_armor r = {text, text + n};
	g_autofree char *type = NULL;
	g_autoptr(GBytes) bytes = NULL;
	GError *why = NULL;
	if (n > (size_t)LIMIT_SIGNATURE_BYTES)
		return error_set(error, ERROR_RESOURCE_EXHAUSTED, "signature has %zu bytes, limit is %lld", n,
				 LIMIT_SIGNATURE_BYTES);
	if (!openpgp_armor_next(&r, &type, &bytes, &why)) {
		if (why)
			g_propagate_prefixed_error(error, why, "failed to decode armored signature: ");
		else
			error_set(error, ERROR_INVALID_ARGUMENT, "failed to decode armored signature: EOF");
		return false;
	}
	if (strcmp(type, "PGP SIGNATURE") != 0)
		return error_set(error, ERROR_INVALID_ARGUMENT, "expected signature block, got: %.64s", type);
	*ret = g_steal_pointer(&bytes);
	return true;
}

/* Joins all blocks of public keys. */
static bool keys_decode(const char *text, GByteArray *to, GError **error)
{
	size_t n = strlen(text);
	struct openpgp_armor r = {text, text + n};
	if (n > (size_t)LIMIT_PUBLIC_KEYS_BYTES)
		return error_set(error, ERROR_RESOURCE_EXHAUSTED, "public keys have %zu bytes, limit is %lld", n,
				 LIMIT_PUBLIC_KEYS_BYTES);
	for (;;) {
		g_autofree char *type = NULL;
		g_autoptr(GBytes) bytes = NULL;
		GError *why = NULL;
		if (!openpgp_armor_next(&r, &type, &bytes, &why)) {
			if (!why)
				break;
			g_propagate_prefixed_error(error, why, "failed to decode armored public key: ");
			return false;
		}
		if (strcmp(type, "PGP PUBLIC KEY BLOCK") != 0)
			return error_set(error, ERROR_INVALID_ARGUMENT, "expected public key block, got: %.64s", type);
		if (!openpgp_keys_check(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), error))
			return error_prefix(error, "failed to read armored public key: ");
		g_byte_array_append(to, g_bytes_get_data(bytes, NULL), (guint)g_bytes_get_size(bytes));
	}
	return to->len > 0 ||
	       error_set(error, ERROR_INVALID_ARGUMENT, "failed to read armored public key: no armored data found");
}

/* RFC 4880, section 9.4: SHA-256, SHA-384 and SHA-512 are accepted; section 9.1: RSA, ECDSA and EdDSA. */
static bool check_algorithms(unsigned hash, unsigned key, GError **error)
{
	static const char *const weak[] = {[1] = "MD5", [2] = "SHA-1", [3] = "RIPEMD-160", [11] = "SHA-224"};
	if (hash < 8 || hash > 10) {
		g_autofree char *number = g_strdup_printf("%u", hash);
		return error_set(error, ERROR_FAILED_PRECONDITION, "rejecting weak/unknown hash: %s",
				 hash < G_N_ELEMENTS(weak) && weak[hash] ? weak[hash] : number);
	}
	return key == 1 || key == 3 || key == 19 || key == 22 ||
	       error_set(error, ERROR_FAILED_PRECONDITION, "rejecting unsupported pubkey algorithm: %u", key);
}

/* ---- gpgv's verdict about one signature */

enum verdict_kind { NONE, GOOD, SIGNATURE_EXPIRED, KEY_EXPIRED, KEY_REVOKED, BAD, FAILED, UNKNOWN_KEY };

struct verdict {
	enum verdict_kind kind;
	char key_id[17];
	bool valid; /* there was a VALIDSIG, from which the following members are */
	char fingerprint[65], primary[65];
	int64_t made_s;
	unsigned hash, algorithm, type;
	int64_t key_expired_s; /* the earliest time, 0: not told */
};

static const struct {
	const char *keyword;
	enum verdict_kind kind;
} kinds[] = {
	{"GOODSIG", GOOD},
	{"EXPSIG", SIGNATURE_EXPIRED},
	{"EXPKEYSIG", KEY_EXPIRED},
	{"REVKEYSIG", KEY_REVOKED},
	{"BADSIG", BAD},
	{"ERRSIG", FAILED},
};

static int64_t number(char **words, guint n, guint i, guint base)
{
	guint64 value = 0;
	return i < n && g_ascii_string_to_unsigned(words[i], base, 0, G_MAXINT64, &value, NULL) ? (int64_t)value : -1;
}

/*
 * VALIDSIG fingerprint date time expiry version reserved key-algorithm hash-algorithm class primary-fingerprint. Numbers
 * that cannot be read are -1, which no check accepts.
 */
static void read_valid(struct verdict *v, char **words, guint n)
{
	if (n < 11 || v->valid)
		return;
	v->valid = true;
	g_strlcpy(v->fingerprint, words[1], sizeof v->fingerprint);
	v->made_s = number(words, n, 3, 10);
	v->algorithm = (unsigned)number(words, n, 7, 10);
	v->hash = (unsigned)number(words, n, 8, 10);
	v->type = (unsigned)number(words, n, 9, 16);
	g_strlcpy(v->primary, words[10], sizeof v->primary);
}

static void read_status(struct verdict *v, const char *text)
{
	g_auto(GStrv) words = g_strsplit(text, " ", 16);
	guint n = g_strv_length(words);
	if (n == 0)
		return;
	if (strcmp(words[0], "VALIDSIG") == 0)
		read_valid(v, words, n);
	if (strcmp(words[0], "KEYEXPIRED") == 0) {
		int64_t at = MAX(number(words, n, 1, 10), 1);
		v->key_expired_s = v->key_expired_s ? MIN(v->key_expired_s, at) : at;
	}
	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
		if (strcmp(words[0], kinds[i].keyword) != 0)
			continue;
		/* ERRSIG key-id key-algorithm hash-algorithm class time reason */
		bool unknown = kinds[i].kind == FAILED && n > 6 && strcmp(words[6], NO_PUBLIC_KEY) == 0;
		v->kind = unknown ? UNKNOWN_KEY : kinds[i].kind;
		if (n > 1)
			g_strlcpy(v->key_id, words[1], sizeof v->key_id);
	}
}

/* The verdict about the first signature whose key is known, as with upstream; otherwise about the last one. */
static void verdict_read(GBytes *output, struct verdict *ret)
{
	gsize n;
	const char *data = g_bytes_get_data(output, &n);
	g_autofree char *text = g_strndup(data ? data : "", n);
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	struct verdict v = {0};
	for (char **line = lines; *line; line++) {
		if (!g_str_has_prefix(*line, STATUS))
			continue;
		const char *status = *line + strlen(STATUS);
		bool begins = strcmp(status, "NEWSIG") == 0 || g_str_has_prefix(status, "NEWSIG ");
		if (begins && v.kind != NONE && v.kind != UNKNOWN_KEY)
			break;
		if (begins)
			v = (struct verdict){0};
		else
			read_status(&v, status);
	}
	*ret = v;
}

/* ---- judgement */

static bool refuse(const struct verdict *v, const char *why, GError **error)
{
	return error_set(error, ERROR_FAILED_PRECONDITION, "signature by %s: openpgp: %s", v->key_id, why);
}

static bool no_verdict(GBytes *messages, GError **error)
{
	gsize n;
	const char *data = g_bytes_get_data(messages, &n);
	g_autofree char *text = g_strstrip(g_strndup(data ? data : "", MIN(n, 512)));
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	g_autofree char *joined = g_strjoinv("; ", lines);
	return error_set(error, ERROR_FAILED_PRECONDITION, "openpgp: gpgv cannot verify the signature: %s",
			 *joined ? joined : "no message");
}

static bool check_key(const struct verdict *v, const GByteArray *keys, GError **error)
{
	const char *const names[] = {v->primary, v->fingerprint};
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		struct openpgp_key key;
		if (!openpgp_key_find(keys->data, keys->len, names[i], &key))
			return refuse(v, "invalid signature: its key has another version than 4", error);
		/* gpgv tells only one of expired and revoked. */
		if (v->kind != GOOD && key.has_revocations)
			return error_set(error, ERROR_FAILED_PRECONDITION, "key revoked");
		if (key.rsa_bits > 0 && key.rsa_bits < RSA_BITS_MIN)
			return error_set(error, ERROR_FAILED_PRECONDITION, "RSA key too short: %u bits", key.rsa_bits);
	}
	return true;
}

static bool check_times(const struct verdict *v, bool reject_expired, GError **error)
{
	if (v->made_s < 0 || v->made_s > time(NULL) + FUTURE_S)
		return error_set(error, ERROR_FAILED_PRECONDITION,
				 "signature creation time is in the future: %" G_GINT64_FORMAT, v->made_s);
	bool key_expired = v->kind == KEY_EXPIRED || v->key_expired_s > 0;
	if (key_expired && (reject_expired || v->key_expired_s == 0 || v->made_s > v->key_expired_s))
		return refuse(v, "key expired", error);
	return v->kind != SIGNATURE_EXPIRED || !reject_expired || refuse(v, "signature expired", error);
}

static bool judge(const struct verdict *v, const GByteArray *keys, bool reject_expired, GBytes *messages,
		  GError **error)
{
	switch (v->kind) {
	case GOOD:
	case SIGNATURE_EXPIRED:
	case KEY_EXPIRED:
		break;
	case KEY_REVOKED:
		return error_set(error, ERROR_FAILED_PRECONDITION, "key revoked");
	case BAD:
		return refuse(v, "invalid signature: it does not match the data", error);
	case UNKNOWN_KEY:
		return refuse(v, "signature made by unknown entity", error);
	case FAILED:
	case NONE:
		return no_verdict(messages, error);
	}
	if (!v->valid || v->type > 1) /* 0: binary, 1: text */
		return refuse(v, "invalid signature: not one of a document", error);
	return check_algorithms(v->hash, v->algorithm, error) && check_key(v, keys, error) &&
	       check_times(v, reject_expired, error);
}

static bool run(int data_fd, GBytes *signature, const GByteArray *keys, bool reject_expired, cancel *c, GError **error)
{
	scoped_fd keys_fd = signature_file_new(keys->data, keys->len, error);
	if (keys_fd < 0)
		return false;
	scoped_fd signature_fd =
		signature_file_new(g_bytes_get_data(signature, NULL), g_bytes_get_size(signature), error);
	if (signature_fd < 0)
		return false;
	const char *const argv[] = {"gpgv", "--homedir=/nonexistent", "--status-fd=1",  "--keyring=" SIGNATURE_FILE_0,
				    "--",   SIGNATURE_FILE_1,         SIGNATURE_FILE_2, NULL};
	struct signature_program p = {
		.argv = argv, .package = "gpgv", .fds = {keys_fd, signature_fd, data_fd}, .n_fds = 3};
	int status;
	g_autoptr(GBytes) out = NULL, messages = NULL;
	if (!signature_program_run(&p, c, &status, &out, &messages, error))
		return false;
	if (!WIFEXITED(status))
		return error_set(error, ERROR_UNKNOWN, "openpgp: gpgv was ended by signal %d", WTERMSIG(status));
	struct verdict v;
	verdict_read(out, &v);
	return judge(&v, keys, reject_expired, messages, error);
}

bool signature_verify_pgp(int data_fd, const char *signature, size_t n, const struct signature_key *key, cancel *c,
			  GError **error)
{
	g_autoptr(GBytes) decoded = NULL;
	g_autoptr(GByteArray) keys = g_byte_array_new();
	struct openpgp_signature first;
	return signature_decode(signature, n, &decoded, error) &&
	       openpgp_signature_read(g_bytes_get_data(decoded, NULL), g_bytes_get_size(decoded), &first, error) &&
	       keys_decode(key->text, keys, error) &&
	       check_algorithms(first.hash_algorithm, first.key_algorithm, error) &&
	       run(data_fd, decoded, keys, key->reject_expired, c, error);
}
