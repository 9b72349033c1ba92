/* SPDX-License-Identifier: Apache-2.0 */
#include "export/exporter.h"
#include "export/classes.h"

struct exporter {
	const struct exporter_class *class;
	void *self;
	bool hides_codes;
};

static const struct exporter_row {
	const char *type;
	const struct exporter_class *class; /* NULL: not built in */
} rows[] = {
	{"image", &exporter_image_class}, {"oci", &exporter_oci_class}, {"docker", &exporter_docker_class},
	{"local", &exporter_local_class}, {"tar", &exporter_tar_class},
};

/*
 * Upstream's exporters make errors without a code, which clients show as they are; codes that serve us inside this room
 * would stand in front of the text ("InvalidArgument: ..."). What a client says while it
 * receives files keeps its code.
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
	const struct exporter_row *row = NULL;
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
		if (g_str_equal(rows[i].type, type))
			row = &rows[i];
	if (!row) {
		error_set(error, ERROR_UNKNOWN, "exporter \"%s\" could not be found", type);
		return NULL;
	}
	if (!row->class) {
		error_set(error, ERROR_UNIMPLEMENTED, "exporter \"%s\" is not supported yet", type);
		return NULL;
	}
	void *self = row->class->open(context, type, attrs, error);
	if (!code_hide(self != NULL, true, error))
		return NULL;
	exporter *e = g_new0(exporter, 1);
	e->class = row->class;
	e->self = self;
	e->hides_codes = !g_str_equal(row->type, "local") && !g_str_equal(row->type, "tar");
	return e;
}

const char *exporter_vertex_name_of(const char *type)
{
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
		if (g_str_equal(rows[i].type, type) && rows[i].class)
			return rows[i].class->vertex_name;
	return NULL;
}

const char *exporter_vertex_name(const exporter *e)
{
	return e->class->vertex_name;
}

const char *exporter_type(const exporter *e)
{
	return e->class->type;
}

bool exporter_export(exporter *e, const struct export_input *input, struct work *work, GHashTable *response,
		     bool *ret_has_finish, GError **error)
{
	*ret_has_finish = false;
	return code_hide(e->class->export(e->self, input, work, response, ret_has_finish, error), e->hides_codes,
			 error);
}

bool exporter_finish(exporter *e, struct work *work, GError **error)
{
	return !e->class->finish || code_hide(e->class->finish(e->self, work, error), e->hides_codes, error);
}

void exporter_free(exporter *e)
{
	if (!e)
		return;
	e->class->free(e->self);
	g_free(e);
}
