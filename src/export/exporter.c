/* SPDX-License-Identifier: Apache-2.0 */
#include "export/exporter.h"

struct exporter {
	const struct exporter_class *class;
	void *self;
};

#define CLASS_ADDRESS(type, destination) &exporter_##type##_class,
static const struct exporter_class *const classes[] = {EXPORTER_KINDS(CLASS_ADDRESS)};

static const struct exporter_class *class_find(const char *type)
{
	for (size_t i = 0; i < G_N_ELEMENTS(classes); i++)
		if (g_str_equal(classes[i]->type, type))
			return classes[i];
	return NULL;
}

/*
 * Upstream's exporters return errors without a code, which clients print as they are. Codes used inside this module would
 * be printed in front of the text ("InvalidArgument: ..."), so they are removed, except for those that clients act on.
 */
static bool code_hide(bool ok, bool hides, GError **error)
{
	if (!ok && hides && error && *error && (*error)->domain == error_domain() &&
	    !error_is(*error, ERROR_CANCELED) && !error_is(*error, ERROR_UNIMPLEMENTED) &&
	    !error_is(*error, ERROR_RESOURCE_EXHAUSTED))
		(*error)->code = ERROR_UNKNOWN;
	return ok;
}

exporter *exporter_open(const struct exporter_context *context, const char *type, GHashTable *attrs, GError **error)
{
	const struct exporter_class *class = class_find(type);
	if (!class)
		return error_null(error, ERROR_UNKNOWN, "exporter \"%s\" could not be found", type);
	void *self = class->open(context, type, attrs, error);
	if (!code_hide(self != NULL, true, error))
		return NULL;
	exporter *e = g_new0(exporter, 1);
	e->class = class;
	e->self = self;
	return e;
}

const char *exporter_vertex_name_of(const char *type)
{
	const struct exporter_class *class = class_find(type);
	return class ? class->vertex_name : NULL;
}

const char *exporter_vertex_name(const exporter *e)
{
	return e->class->vertex_name;
}

bool exporter_export(exporter *e, const struct export_input *input, struct work *work, GHashTable *response,
		     bool *ret_has_finish, GError **error)
{
	*ret_has_finish = false;
	return code_hide(e->class->export(e->self, input, work, response, ret_has_finish, error),
			 !e->class->keeps_codes, error);
}

bool exporter_finish(exporter *e, struct work *work, GError **error)
{
	return !e->class->finish || code_hide(e->class->finish(e->self, work, error), !e->class->keeps_codes, error);
}

void exporter_free(exporter *e)
{
	if (!e)
		return;
	e->class->free(e->self);
	g_free(e);
}
