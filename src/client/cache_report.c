/* SPDX-License-Identifier: Apache-2.0 */
/* cache_report: implements --debug-json-cache-metrics. */
#include "client/cache_report.h"
#include "format/json_writer.h"
#include <string.h>

struct counts {
	int64_t total, completed, user_total, user_cached, user_completed, user_cacheable, from, miss;
};

/* Reports whether the vertex is an internal one, not a step that the user wrote. */
static bool is_internal(const char *name)
{
	static const char *const beginnings[] = {"[internal]", "[auth]", "importing cache", "exporting "};
	for (size_t i = 0; i < G_N_ELEMENTS(beginnings); i++)
		if (g_str_has_prefix(name, beginnings[i]))
			return true;
	return false;
}

static void count(struct counts *n, const struct model_vertex *v, GString *out)
{
	bool completed = v->completed_ns != 0;
	bool from = v->name[0] == '[' && strstr(v->name, "] FROM") != NULL; /* "[stage 1/3] FROM image" */
	n->total++;
	n->completed += completed;
	if (is_internal(v->name))
		return;
	n->user_total++;
	n->user_completed += completed;
	n->user_cached += v->cached;
	n->from += from;
	n->user_cacheable += !from;
	if (v->cached || from)
		return;
	n->miss++;
	g_string_append_printf(out, "cache miss: %s\n", v->name);
}

char *cache_report(const struct model *m, int64_t duration_ms)
{
	GString *out = g_string_new(NULL);
	struct counts n = {0};
	for (guint i = 0; i < m->vertices->len; i++) {
		const struct model_vertex *v = m->vertices->pdata[i];
		if (!v->members) /* the row of a group is not a vertex */
			count(&n, v, out);
	}
	const struct {
		const char *name;
		int64_t value;
	} rows[] = {{"total", n.total},
		    {"completed", n.completed},
		    {"user_total", n.user_total},
		    {"user_cached", n.user_cached},
		    {"user_completed", n.user_completed},
		    {"user_cacheable", n.user_cacheable},
		    {"from", n.from},
		    {"miss", n.miss},
		    {"client_duration_ms", duration_ms}};
	json_writer *w = json_writer_new(0);
	json_object_begin(w);
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		json_put_int_member(w, rows[i].name, rows[i].value);
	}
	json_object_end(w);
	g_autofree char *json = json_writer_take(&w, NULL);
	g_string_append_printf(out, "%s\n", json);
	return g_string_free(out, FALSE);
}
