/* SPDX-License-Identifier: Apache-2.0 */
#include "source/source.h"
#include "source/classes.h"
#include "source/pull.h"
#include <string.h>

struct source {
	const struct source_class *class;
	void *self;
	bool from_client; /* its errors keep the codes that the client gave them */
};

static const struct source_row {
	const char *scheme;
	const struct source_class *class; /* NULL: not built in */
} rows[] = {
	{"docker-image", &source_image_class},
	{"oci-layout", &source_oci_layout_class},
	{"docker-image+blob", &source_image_blob_class},
	{"oci-layout+blob", &source_oci_layout_blob_class},
	{"http", &source_http_class},
	{"https", &source_https_class},
	{"local", &source_local_class},
	{"git", &source_git_class},
};

static const struct source_row *row_find(const char *scheme, size_t n)
{
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
		if (strlen(rows[i].scheme) == n && memcmp(rows[i].scheme, scheme, n) == 0)
			return &rows[i];
	return NULL;
}

bool source_plain_error(bool ok, GError **error)
{
	if (!ok && error && *error && (*error)->domain == error_domain() && !error_is(*error, ERROR_CANCELED) &&
	    !error_is(*error, ERROR_UNIMPLEMENTED) && !error_is(*error, ERROR_RESOURCE_EXHAUSTED))
		(*error)->code = ERROR_UNKNOWN;
	return ok;
}

source *source_open(const struct source_context *context, const Pb__SourceOp *op, const struct platform *platform,
		    GError **error)
{
	const char *separator = strstr(op->identifier, "://");
	if (!separator) {
		error_set(error, ERROR_UNKNOWN, "failed to parse %s: invalid", op->identifier);
		return NULL;
	}
	int n = (int)(separator - op->identifier);
	const struct source_row *row = row_find(op->identifier, (size_t)n);
	if (!row) {
		error_set(error, ERROR_UNKNOWN, "unknown scheme %.*s: not found", n, op->identifier);
		return NULL;
	}
	if (!row->class) {
		error_set(error, ERROR_UNIMPLEMENTED, "%s sources are not supported yet", row->scheme);
		return NULL;
	}
	void *self = row->class->open(context, op, platform, error);
	if (!source_plain_error(self != NULL, error))
		return NULL;
	source *s = g_new0(source, 1);
	s->class = row->class;
	s->self = self;
	s->from_client = g_str_equal(row->scheme, "local");
	return s;
}

bool source_cache_key(source *s, struct work *work, unsigned phase, char **ret_key, bool *ret_last, GError **error)
{
	bool ok = s->class->cache_key(s->self, work, phase, ret_key, ret_last, error);
	return s->from_client ? ok : source_plain_error(ok, error);
}

bool source_snapshot(source *s, struct work *work, cache_ref **ret_ref, GError **error)
{
	bool ok = s->class->snapshot(s->self, work, ret_ref, error);
	return s->from_client ? ok : source_plain_error(ok, error);
}

char *source_pin(source *s)
{
	return s->class->pin ? s->class->pin(s->self) : NULL;
}

void source_free(source *s)
{
	if (!s)
		return;
	s->class->free(s->self);
	g_free(s);
}
