/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SSH signatures (OpenSSH's PROTOCOL.sshsig): the parts that must agree are compared here, ssh-keygen verifies the
 * signature itself.
 */
#include "source/signature_ssh.h"
#include "base/limits.h"
#include "base/scope.h"
#include "format/gotype.h"
#include "source/signature.h"
#include <string.h>
#include <sys/wait.h>

#define BEGIN "-----BEGIN SSH SIGNATURE-----"
#define END "-----END SSH SIGNATURE-----"
#define MAGIC "SSHSIG"
#define NAMESPACE "git"
#define SPACE " \t\r"
#define IDENTITY "buildkit" /* any name: the file of allowed signers has one entry */

static const char *const key_types[] = {
	"ssh-ed25519",
	"ssh-rsa",
	"ecdsa-sha2-nistp256",
	"ecdsa-sha2-nistp384",
	"ecdsa-sha2-nistp521",
	"sk-ssh-ed25519@openssh.com",
	"sk-ecdsa-sha2-nistp256@openssh.com",
	NULL,
};

/* ---- the wire format (RFC 4251, section 5) */

struct reader {
	const uint8_t *at;
	size_t left;
};

static bool read_u32(struct reader *r, uint32_t *ret)
{
	if (r->left < 4)
		return false;
	*ret = (uint32_t)r->at[0] << 24 | (uint32_t)r->at[1] << 16 | (uint32_t)r->at[2] << 8 | r->at[3];
	r->at += 4;
	r->left -= 4;
	return true;
}

static bool read_string(struct reader *r, const uint8_t **ret, size_t *ret_n)
{
	uint32_t n;
	if (!read_u32(r, &n) || n > r->left)
		return false;
	*ret = r->at;
	*ret_n = n;
	r->at += n;
	r->left -= n;
	return true;
}

/* A text without NUL. Owned; NULL: damaged. */
static char *read_text(struct reader *r)
{
	const uint8_t *at;
	size_t n;
	return read_string(r, &at, &n) && !memchr(at, 0, n) ? g_strndup((const char *)at, n) : NULL;
}

/* ---- the signature */

void signature_ssh_clear(struct signature_ssh *s)
{
	g_clear_pointer(&s->key, g_bytes_unref);
	g_clear_pointer(&s->namespace, g_free);
	g_clear_pointer(&s->hash, g_free);
}

static bool blob_read(const uint8_t *bytes, size_t n, struct signature_ssh *s)
{
	struct reader r = {bytes, n};
	const uint8_t *key, *reserved, *signature;
	size_t n_key, n_reserved, n_signature;
	if (n < strlen(MAGIC) || memcmp(bytes, MAGIC, strlen(MAGIC)) != 0)
		return false;
	r.at += strlen(MAGIC);
	r.left -= strlen(MAGIC);
	if (!read_u32(&r, &s->version) || !read_string(&r, &key, &n_key))
		return false;
	s->key = g_bytes_new(key, n_key);
	s->namespace = read_text(&r);
	bool ok = s->namespace && read_string(&r, &reserved, &n_reserved);
	s->hash = ok ? read_text(&r) : NULL;
	return s->hash && read_string(&r, &signature, &n_signature) && r.left == 0;
}

bool signature_ssh_read(const char *text, size_t n, struct signature_ssh *ret, GError **error)
{
	const char *end = g_strstr_len(text, (gssize)n, "\n" END);
	struct signature_ssh s = {0};
	if (n < strlen(BEGIN) || memcmp(text, BEGIN, strlen(BEGIN)) != 0 || !end)
		return error_set(error, ERROR_INVALID_ARGUMENT, "failed to decode ssh signature PEM block");
	g_autofree char *body = g_strndup(text + strlen(BEGIN), (gsize)(end - text) - strlen(BEGIN));
	gsize size = 0;
	g_autofree guchar *bytes = *body ? g_base64_decode(body, &size) : NULL;
	if (bytes && blob_read(bytes, size, &s)) {
		*ret = s;
		return true;
	}
	signature_ssh_clear(&s);
	return error_set(error, ERROR_INVALID_ARGUMENT, "failed to parse ssh signature: damaged");
}

static bool signature_check(const struct signature_ssh *s, GError **error)
{
	if (s->version != 1)
		return error_set(error, ERROR_INVALID_ARGUMENT, "unsupported SSH signature version: %u", s->version);
	if (strcmp(s->hash, "sha256") != 0 && strcmp(s->hash, "sha512") != 0)
		return error_set(error, ERROR_INVALID_ARGUMENT, "unsupported SSH signature hash algorithm: %.32s",
				 s->hash);
	if (strcmp(s->namespace, NAMESPACE) == 0)
		return true;
	g_autofree char *quoted = go_quote(s->namespace);
	return error_set(error, ERROR_FAILED_PRECONDITION, "unexpected SSH signature namespace: %.256s", quoted);
}

/* ---- the key */

/* The key's bytes begin with its type. */
static GBytes *key_decode(const char *type, const char *text)
{
	gsize n = 0;
	for (const char *p = text; *p; p++)
		if (!g_ascii_isalnum(*p) && !strchr("+/=", *p))
			return NULL;
	guchar *bytes = *text ? g_base64_decode(text, &n) : NULL;
	g_autoptr(GBytes) key = g_bytes_new_take(bytes, n);
	struct reader r = {bytes, n};
	g_autofree char *inner = read_text(&r);
	return g_strcmp0(inner, type) == 0 ? g_steal_pointer(&key) : NULL;
}

/* "TYPE KEY COMMENT" */
static bool key_read(const char *at, char **ret_type, char **ret_text, GBytes **ret_key)
{
	g_autofree char *type = g_strndup(at, strcspn(at, SPACE));
	at += strlen(type);
	at += strspn(at, SPACE);
	g_autofree char *text = g_strndup(at, strcspn(at, SPACE));
	GBytes *key = g_strv_contains(key_types, type) ? key_decode(type, text) : NULL;
	if (!key)
		return false;
	*ret_type = g_steal_pointer(&type);
	*ret_text = g_steal_pointer(&text);
	*ret_key = key;
	return true;
}

/* Returns what follows the options of authorized_keys: a word in which quoted parts may contain spaces. */
static const char *options_skip(const char *at)
{
	bool quoted = false;
	for (; *at && (quoted || !strchr(SPACE, *at)); at++) {
		if (*at == '\\' && at[1] == '"')
			at++;
		else if (*at == '"')
			quoted = !quoted;
	}
	return at + strspn(at, SPACE);
}

/* Options have no meaning here. */
static bool line_read(const char *line, char **ret_type, char **ret_text, GBytes **ret_key)
{
	return key_read(line, ret_type, ret_text, ret_key) || key_read(options_skip(line), ret_type, ret_text, ret_key);
}

bool signature_ssh_key_read(const char *text, char **ret_line, GBytes **ret_key, GError **error)
{
	g_auto(GStrv) lines = NULL;
	if (strlen(text) > (size_t)LIMIT_PUBLIC_KEYS_BYTES)
		return error_set(error, ERROR_RESOURCE_EXHAUSTED, "public keys have %zu bytes, limit is %lld",
				 strlen(text), LIMIT_PUBLIC_KEYS_BYTES);
	lines = g_strsplit(text, "\n", -1);
	for (char **line = lines; *line; line++) {
		g_autofree char *type = NULL, *key = NULL;
		if (*g_strstrip(*line) == '#' || !line_read(*line, &type, &key, ret_key))
			continue;
		*ret_line = g_strconcat(type, " ", key, NULL);
		return true;
	}
	return error_set(error, ERROR_INVALID_ARGUMENT, "failed to parse ssh public key: ssh: no key found");
}

/* ---- verification */

static bool run(const GString *data, const char *signature, size_t n, const char *key_line, cancel *c, GError **error)
{
	g_autofree char *allowed = g_strdup_printf(IDENTITY " namespaces=\"" NAMESPACE "\" %s\n", key_line);
	scoped_fd allowed_fd = signature_file_new(allowed, strlen(allowed), error);
	if (allowed_fd < 0)
		return false;
	scoped_fd signature_fd = signature_file_new(signature, n, error);
	if (signature_fd < 0)
		return false;
	const char *const argv[] = {"ssh-keygen", "-Y", "verify",  "-f", SIGNATURE_FILE_0, "-I",
				    IDENTITY,     "-n", NAMESPACE, "-s", SIGNATURE_FILE_1, NULL};
	struct signature_program p = {.argv = argv,
				      .package = "openssh-client",
				      .fds = {allowed_fd, signature_fd},
				      .n_fds = 2,
				      .input = data};
	int status;
	g_autoptr(GBytes) out = NULL, messages = NULL;
	if (!signature_program_run(&p, c, &status, &out, &messages, error))
		return false;
	if (status == 0)
		return true;
	gsize n_message;
	const char *message = g_bytes_get_data(messages, &n_message);
	g_autofree char *text = g_strndup(message ? message : "", MIN(n_message, 512));
	return error_set(error, ERROR_FAILED_PRECONDITION, "failed to verify ssh signature: %s",
			 *g_strstrip(text) ? text : "invalid signature");
}

bool signature_verify_ssh(const GString *data, const char *signature, size_t n, const struct signature_key *key,
			  cancel *c, GError **error)
{
	g_auto(signature_ssh) s = {0};
	g_autofree char *line = NULL;
	g_autoptr(GBytes) wanted = NULL;
	if (n > (size_t)LIMIT_SIGNATURE_BYTES)
		return error_set(error, ERROR_RESOURCE_EXHAUSTED, "signature has %zu bytes, limit is %lld", n,
				 LIMIT_SIGNATURE_BYTES);
	if (!signature_ssh_read(signature, n, &s, error) || !signature_check(&s, error) ||
	    !signature_ssh_key_read(key->text, &line, &wanted, error))
		return false;
	if (!g_bytes_equal(s.key, wanted))
		return error_set(error, ERROR_FAILED_PRECONDITION,
				 "failed to verify ssh signature: public key does not match");
	return run(data, signature, n, line, c, error);
}
