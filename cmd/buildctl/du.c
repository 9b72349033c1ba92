/* SPDX-License-Identifier: Apache-2.0 */
#include "api/guard.h"
#include "command.h"
#include "format.h"
#include "format/gotype.h"
#include "usage.h"
#include <stdlib.h>
#include <string.h>

static const struct flag du_flags[] = {
	{"filter", "f", FLAG_STRINGS, NULL, NULL, "list only cache records that match, e.g. type==regular"},
	{"verbose", "v", FLAG_BOOL, NULL, NULL, "print all details of each cache record"},
	FORMAT_FLAG,
};

static int compare_records(const void *a, const void *b)
{
	const Control__UsageRecord *x = *(Control__UsageRecord *const *)a, *y = *(Control__UsageRecord *const *)b;
	if (x->size != y->size)
		return x->size < y->size ? -1 : 1;
	return strcmp(x->id, y->id);
}

static char *json_text(Control__DiskUsageResponse *m)
{
	GString *out = g_string_new("[");
	for (size_t i = 0; i < m->n_record; i++) {
		g_autofree char *one = usage_json(m->record[i]);
		g_string_append_printf(out, "%s%s", i ? "," : "", one);
	}
	g_string_append(out, "]\n");
	return g_string_free(out, FALSE);
}

static void add_summary(table *t, const Control__DiskUsageResponse *m)
{
	int64_t total = 0, reclaimable = 0, shared = 0;
	for (size_t i = 0; i < m->n_record; i++) {
		total += m->record[i]->size;
		reclaimable += m->record[i]->inuse ? 0 : m->record[i]->size;
		shared += m->record[i]->shared ? m->record[i]->size : 0;
	}
	const struct {
		const char *name;
		int64_t bytes;
		bool shown;
	} rows[] = {{"Shared", shared, shared > 0},
		    {"Private", total - shared, shared > 0},
		    {"Reclaimable", reclaimable, true},
		    {"Total", total, true}};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *size = size_format(rows[i].bytes);
		if (rows[i].shown)
			table_printf(t, "%s:\t%s\n", rows[i].name, size);
	}
}

static char *table_of(Control__DiskUsageResponse *m, bool verbose, bool summary)
{
	g_autoptr(table) t = table_new(1, 8, 1, '\t');
	if (!verbose)
		usage_header(t);
	for (size_t i = 0; i < m->n_record; i++)
		verbose ? usage_verbose(t, m->record[i]) : usage_row(t, m->record[i]);
	g_autoptr(table) totals = table_new(1, 8, 1, '\t');
	if (summary)
		add_summary(totals, m);
	g_autofree char *rows = table_text(t), *end = table_text(totals);
	return g_strconcat(rows, end, NULL);
}

static bool run(struct context *x, const flags *f, GError **error)
{
	rpc_conn *conn = context_connect(x, "failed to call diskusage", error);
	if (!conn)
		return false;
	const char *format = flags_string(f, "format");
	Control__DiskUsageRequest request = CONTROL__DISK_USAGE_REQUEST__INIT;
	request.filter = (char **)(uintptr_t)flags_strings(f, "filter");
	request.n_filter = g_strv_length(request.filter);
	Control__DiskUsageResponse *m = rpc_unary(conn, "/moby.buildkit.v1.Control/DiskUsage", NULL, &request,
						  &control__disk_usage_response__descriptor, x->cancel, 0, error);
	if (!m)
		return call_failed("failed to call diskusage", error);
	if (m->n_record > 0)
		qsort(m->record, m->n_record, sizeof *m->record, compare_records);
	g_autofree char *text = *format ? json_text(m) : table_of(m, flags_bool(f, "verbose"), request.n_filter == 0);
	guard_free(m);
	return *format ? print_formatted(format, text, error) : print_text(text, error);
}

const struct command du_command = {"du", "show the disk usage of the build cache", du_flags, G_N_ELEMENTS(du_flags),
				   run};
