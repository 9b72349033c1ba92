/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets.GetSecret: secrets of the command line by exact id; files and variables are read at each request. */
#include "base/limits.h"
#include "base/scope.h"
#include "client/services_internal.h"
#include "api/guard.h"
#include "format/gotype.h"
#include "secrets.pb-c.h"
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

struct secret_spec {
	char *type, *id, *path, *env;
};

void service_secret_free(void *secret)
{
	struct service_secret *s = secret;
	g_free(s->path);
	g_free(s->env);
	g_free(s);
}

static void set_text(char **where, const char *value)
{
	g_free(*where);
	*where = g_strdup(value);
}

static bool secret_field(void *data, const char *key, const char *value, const char *field, GError **error)
{
	struct secret_spec *spec = data;
	if (g_str_equal(key, "type")) {
		if (!g_str_equal(value, "file") && !g_str_equal(value, "env")) {
			g_autofree char *quoted = go_quote(value);
			return error_set(error, ERROR_INVALID_ARGUMENT, "unsupported secret type %s", quoted);
		}
		set_text(&spec->type, value);
	} else if (g_str_equal(key, "id")) {
		set_text(&spec->id, value);
	} else if (g_str_equal(key, "source") || g_str_equal(key, "src")) {
		set_text(&spec->path, value);
	} else if (g_str_equal(key, "env")) {
		set_text(&spec->env, value);
	} else {
		return error_set(error, ERROR_INVALID_ARGUMENT, "unexpected key '%s' in '%s'", key, field);
	}
	return true;
}

static bool is_empty(const char *text)
{
	return !text || !*text;
}

/* Determines the source of the value: sets exactly one of path and env. */
static void choose_origin(struct secret_spec *spec)
{
	if (spec->type && g_str_equal(spec->type, "env") && is_empty(spec->env)) {
		g_free(spec->env);
		spec->env = g_steal_pointer(&spec->path);
	}
	if (is_empty(spec->env) && is_empty(spec->path))
		set_text(g_getenv(spec->id) ? &spec->env : &spec->path, spec->id);
	if (!is_empty(spec->env))
		g_clear_pointer(&spec->path, g_free);
	else
		g_clear_pointer(&spec->env, g_free);
}

static bool add_secret(services *s, struct secret_spec *spec, GError **error)
{
	struct stat st;
	if (is_empty(spec->id))
		return error_set(error, ERROR_INVALID_ARGUMENT, "secret missing ID");
	if (!is_empty(spec->env) && !is_empty(spec->path))
		return error_set(error, ERROR_INVALID_ARGUMENT, "secret %s: src=%s and env=%s exclude each other",
				 spec->id, spec->path, spec->env);
	choose_origin(spec);
	if (spec->path) {
		if (stat(spec->path, &st) < 0)
			return error_set_errno(error, errno, "failed to stat %s: stat %s", spec->path, spec->path);
		if (st.st_size > LIMIT_SECRET_BYTES)
			return error_set(error, ERROR_INVALID_ARGUMENT, "secret %s too big. max size 500KiB", spec->id);
	}
	struct service_secret *secret = g_new0(struct service_secret, 1);
	secret->path = g_steal_pointer(&spec->path);
	secret->env = g_steal_pointer(&spec->env);
	g_hash_table_replace(s->secrets, g_strdup(spec->id), secret);
	return true;
}

bool services_add_secret(services *s, const char *value, GError **error)
{
	struct secret_spec spec = {0};
	bool ok = services_parse_fields(value, "invalid field '%s' must be a key=value pair", secret_field, &spec,
					error) &&
		  add_secret(s, &spec, error);
	g_free(spec.type);
	g_free(spec.id);
	g_free(spec.path);
	g_free(spec.env);
	return ok;
}

/* Reads a file or pipe to its end, at most one byte more than the limit. */
static bool read_file(const char *path, GByteArray *out, GError **error)
{
	scoped_fd fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return error_set_errno(error, errno, "open %s", path);
	size_t max = (size_t)LIMIT_SECRET_BYTES + 1;
	g_byte_array_set_size(out, (guint)max);
	size_t n = 0;
	while (n < max) {
		ssize_t got = read(fd, out->data + n, max - n);
		if (got < 0 && errno != EINTR)
			return error_set_errno(error, errno, "read %s", path);
		if (got == 0)
			break;
		n += got > 0 ? (size_t)got : 0;
	}
	g_byte_array_set_size(out, (guint)n);
	return true;
}

static void bytes_wipe(GByteArray **bytes)
{
	if ((*bytes)->len > 0)
		explicit_bzero((*bytes)->data, (*bytes)->len);
	g_byte_array_unref(*bytes);
}

static ProtobufCMessage *get_secret(rpc_call *call, const ProtobufCMessage *request, void *data, GError **error)
{
	services *s = data;
	const Secrets__GetSecretRequest *q = (const void *)request;
	const struct service_secret *secret = g_hash_table_lookup(s->secrets, q->id);
	if (!secret)
		return error_null(error, ERROR_NOT_FOUND, "not found");
	__attribute__((cleanup(bytes_wipe))) GByteArray *bytes = g_byte_array_new();
	if (secret->env) {
		const char *value = g_getenv(secret->env);
		if (value)
			g_byte_array_append(bytes, (const uint8_t *)value, (guint)strlen(value));
	} else if (!read_file(secret->path, bytes, error)) {
		return NULL;
	}
	if (bytes->len > LIMIT_SECRET_BYTES)
		return error_null(error, ERROR_UNKNOWN, "invalid secret size %u", bytes->len);
	Secrets__GetSecretResponse reply = SECRETS__GET_SECRET_RESPONSE__INIT;
	reply.data = (ProtobufCBinaryData){bytes->len, bytes->data};
	return message_copy(&reply);
}

static const struct rpc_method methods[] = {
	{.path = "/moby.buildkit.secrets.v1.Secrets/GetSecret",
	 .request = &secrets__get_secret_request__descriptor,
	 .unary = get_secret},
};
const struct rpc_method_table service_secrets_table = {methods, G_N_ELEMENTS(methods)};
