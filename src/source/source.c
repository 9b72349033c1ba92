/* SPDX-License-Identifier: Apache-2.0 */
#include "source/source.h"
#include "source/pull.h"
#include <string.h>

struct source {
	const struct source_class *class;
	void *self;
};

#define CLASS_ADDRESS(name) &source_##name##_class,
static const struct source_class *const classes[] = {SOURCE_KINDS(CLASS_ADDRESS)};

const struct source_class *source_class_find(const char *identifier, const char **ret_rest)
{
	const char *separator = strstr(identifier, "://");
	size_t n = separator ? (size_t)(separator - identifier) : 0;
	for (size_t i = 0; i < G_N_ELEMENTS(classes) && separator; i++) {
		if (strlen(classes[i]->scheme) == n && memcmp(classes[i]->scheme, identifier, n) == 0) {
			*ret_rest = separator + strlen("://");
			return classes[i];
		}
	}
	return NULL;
}

char *source_name(const Pb__SourceOp *op)
{
	const char *rest;
	const struct source_class *class = source_class_find(op->identifier, &rest);
	char *name = class && class->name ? class->name(op) : NULL;
	return name ? name : g_strdup(op->identifier);
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
	if (!separator)
		return error_null(error, ERROR_UNKNOWN, "failed to parse %s: invalid", op->identifier);
	const char *rest;
	const struct source_class *class = source_class_find(op->identifier, &rest);
	if (!class)
		return error_null(error, ERROR_UNKNOWN, "unknown scheme %.*s: not found",
				  (int)(separator - op->identifier), op->identifier);
	void *self = class->open(context, op, platform, error);
	if (!source_plain_error(self != NULL, error))
		return NULL;
	source *s = g_new0(source, 1);
	s->class = class;
	s->self = self;
	return s;
}

bool source_cache_key(source *s, struct work *work, unsigned phase, char **ret_key, bool *ret_last, GError **error)
{
	bool ok = s->class->cache_key(s->self, work, phase, ret_key, ret_last, error);
	return s->class->keeps_codes ? ok : source_plain_error(ok, error);
}

bool source_snapshot(source *s, struct work *work, cache_ref **ret_ref, GError **error)
{
	bool ok = s->class->snapshot(s->self, work, ret_ref, error);
	return s->class->keeps_codes ? ok : source_plain_error(ok, error);
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
