/* SPDX-License-Identifier: Apache-2.0 */
#include "control/debug_text.h"
#include "api/guard.h"
#include "control/control.h"
#include "format/gotype.h"
#include "solver/describe.h"
#include "timeline/stuck.h"

#define SOLVER_MS 2000

void control_debug_graph(builder *b, GString *out)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *text = solver_describe_graph(builder_solver(b), SOLVER_MS, &error);
	g_string_append(out, text ? text : error->message);
}

static void add_record(GString *out, const struct cache_usage *u)
{
	g_autofree char *size = size_format(u->size), *created = time_format_rfc3339(u->created_ns),
			*used = u->last_used_ns ? time_format_rfc3339(u->last_used_ns) : g_strdup("never"),
			*description = timeline_safe_text(u->description);
	g_string_append_printf(out,
			       "%s %s %s%s%s%s\n    %s\n    created %s, last used %s, %" G_GINT64_FORMAT " times\n",
			       u->id, u->record_type, size, u->in_use ? ", in use" : "", u->mutable_ ? ", mutable" : "",
			       u->shared ? ", shared" : "", description, created, used, u->usage_count);
	for (char **parent = u->parents; parent && *parent; parent++)
		g_string_append_printf(out, "    parent %s\n", *parent);
}

void control_debug_cache(builder *b, GString *out)
{
	static const char *const no_filters[] = {NULL};
	size_t n;
	worker *const *workers = builder_workers(b, &n);
	for (size_t i = 0; i < n; i++) {
		g_autoptr(GError) error = NULL;
		g_autoptr(GPtrArray) records = cache_disk_usage(workers[i]->cache, no_filters, &error);
		if (!records) {
			g_string_append_printf(out, "worker %s: %s\n", workers[i]->id, error->message);
			continue;
		}
		g_string_append_printf(out, "worker %s: %u records\n", workers[i]->id, records->len);
		for (guint k = 0; k < records->len; k++)
			add_record(out, records->pdata[k]);
	}
}

void control_debug_stuck(builder *b, GString *out)
{
	Debug__StuckResponse *reply = control_stuck_new(b);
	g_autofree char *text = timeline_stuck_text(reply);
	g_string_append(out, text);
	guard_free(reply);
}
