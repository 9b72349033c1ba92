/* SPDX-License-Identifier: Apache-2.0 */
#include "api/guard.h"
#include "command.h"
#include "control.pb-c.h"
#include "debug_commands.h"
#include "format.h"
#include "format/gotype.h"
#include "format/json_writer.h"
#include "table.h"
#include "types.pb-c.h"
#include <stdlib.h>
#include <string.h>

static const struct flag workers_flags[] = {
	{"filter", "f", FLAG_STRINGS, NULL, NULL, "list only workers that match, e.g. labels.kind==fast"},
	{"verbose", "v", FLAG_BOOL, NULL, NULL, "print all details of each worker"},
	FORMAT_FLAG,
};
static const struct flag info_flags[] = {
	FORMAT_FLAG,
};

static char *platforms_text(const Types__WorkerRecord *r)
{
	GString *out = g_string_new(NULL);
	for (size_t i = 0; i < r->n_platforms; i++) {
		const Pb__Platform *p = r->platforms[i];
		g_string_append_printf(out, "%s%s/%s%s%s", i ? "," : "", p->os, p->architecture, *p->variant ? "/" : "",
				       p->variant);
	}
	return g_string_free(out, FALSE);
}

static char *space_text(int64_t bytes)
{
	g_autofree char *number = g_strdup_printf("%g", (double)bytes);
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
	double value = (double)bytes;
	size_t unit = 0;
	for (; value >= 1000 && unit + 1 < G_N_ELEMENTS(units); unit++)
		value /= 1000;
	return g_strdup_printf("%g%s", value, units[unit]);
}

static void put_space(table *t, const char *name, int64_t bytes)
{
	g_autofree char *text = space_text(bytes);
	if (bytes > 0)
		table_printf(t, "\t%s:\t%s\n", name, text);
}

static void put_gc_rule(table *t, size_t i, const Types__GCPolicy *rule)
{
	table_printf(t, "GC Policy rule#%zu:\n", i);
	table_printf(t, "\tAll:\t%s\n", rule->all ? "true" : "false");
	if (rule->n_filters > 0) {
		g_autoptr(GString) filters = g_string_new(NULL);
		for (size_t k = 0; k < rule->n_filters; k++)
			g_string_append_printf(filters, "%s%s", k ? " " : "", rule->filters[k]);
		table_printf(t, "\tFilters:\t%s\n", filters->str);
	}
	if (rule->keepduration > 0) {
		g_autofree char *duration = duration_format(rule->keepduration);
		table_printf(t, "\tKeep duration:\t%s\n", duration);
	}
	put_space(t, "Reserved space", rule->reservedspace);
	put_space(t, "Minimum free space", rule->minfreespace);
	put_space(t, "Maximum used space", rule->maxusedspace);
}

static int compare_labels(const void *a, const void *b)
{
	return strcmp((*(Types__WorkerRecord__LabelsEntry *const *)a)->key,
		      (*(Types__WorkerRecord__LabelsEntry *const *)b)->key);
}

static int compare_annotations(const void *a, const void *b)
{
	return strcmp((*(Types__CDIDevice__AnnotationsEntry *const *)a)->key,
		      (*(Types__CDIDevice__AnnotationsEntry *const *)b)->key);
}

static void put_device(table *t, Types__CDIDevice *d)
{
	table_printf(t, "\tName:\t%s\n", d->name);
	table_printf(t, "\t%s:\t%s\n", d->ondemand ? "OnDemand" : "AutoAllow",
		     d->ondemand || d->autoallow ? "true" : "false");
	qsort(d->annotations, d->n_annotations, sizeof *d->annotations, compare_annotations);
	for (size_t i = 0; i < d->n_annotations; i++)
		table_printf(t, "\tAnnotations:\t%s:\t%s\n", d->annotations[i]->key, d->annotations[i]->value);
}

static void put_worker(table *t, Types__WorkerRecord *r)
{
	g_autofree char *platforms = platforms_text(r);
	table_printf(t, "ID:\t%s\nPlatforms:\t%s\n", r->id, platforms);
	if (r->buildkitversion) {
		const Types__BuildkitVersion *v = r->buildkitversion;
		table_printf(t, "BuildKit:\t%s %s %s\n", v->package, v->version, v->revision);
		if (*v->dockerfileversion)
			table_printf(t, "Dockerfile:\t%s\n", v->dockerfileversion);
	}
	table_add(t, "Labels:\n");
	qsort(r->labels, r->n_labels, sizeof *r->labels, compare_labels);
	for (size_t i = 0; i < r->n_labels; i++)
		table_printf(t, "\t%s:\t%s\n", r->labels[i]->key, r->labels[i]->value);
	if (r->n_cdidevices > 0)
		table_add(t, "Devices:\n");
	for (size_t i = 0; i < r->n_cdidevices; i++)
		put_device(t, r->cdidevices[i]);
	if (r->n_cdidevices > 0)
		table_add(t, "\n");
	for (size_t i = 0; i < r->n_gcpolicy; i++)
		put_gc_rule(t, i, r->gcpolicy[i]);
	table_add(t, "\n");
}

static char *workers_table(Control__ListWorkersResponse *m, bool verbose)
{
	g_autoptr(table) t = table_new(1, 8, 1, '\t');
	if (!verbose)
		table_add(t, "ID\tPLATFORMS\n");
	for (size_t i = 0; i < m->n_record; i++) {
		g_autofree char *platforms = platforms_text(m->record[i]);
		if (verbose)
			put_worker(t, m->record[i]);
		else
			table_printf(t, "%s\t%s\n", m->record[i]->id, platforms);
	}
	return table_text(t);
}

static bool run_workers(struct context *x, const flags *f, GError **error)
{
	const char *format = flags_string(f, "format");
	rpc_conn *conn = context_connect(x, "failed to list workers", error);
	if (!conn)
		return false;
	Control__ListWorkersRequest request = CONTROL__LIST_WORKERS_REQUEST__INIT;
	request.filter = (char **)(uintptr_t)flags_strings(f, "filter");
	request.n_filter = g_strv_length(request.filter);
	Control__ListWorkersResponse *m = rpc_unary(conn, "/moby.buildkit.v1.Control/ListWorkers", NULL, &request,
						    &control__list_workers_response__descriptor, x->cancel, 0, error);
	if (!m)
		return call_failed("failed to list workers", error);
	g_autofree char *text = *format ? workers_json(m) : workers_table(m, flags_bool(f, "verbose"));
	guard_free(m);
	return *format ? print_formatted(format, text, error) : print_text(text, error);
}

static char *info_text(const Types__BuildkitVersion *v, bool json)
{
	if (json) {
		json_writer *w = json_writer_new(0);
		json_object_begin(w);
		json_key(w, "buildkitVersion");
		version_json(w, v);
		json_object_end(w);
		g_autofree char *text = json_writer_take(&w, NULL);
		return g_strconcat(text, "\n", NULL);
	}
	return g_strdup_printf("BuildKit:   %s %s %s\nDockerfile: %s\n", v->package, v->version, v->revision,
			       v->dockerfileversion);
}

static bool run_info(struct context *x, const flags *f, GError **error)
{
	const char *format = flags_string(f, "format");
	rpc_conn *conn = context_connect(x, "failed to call info", error);
	if (!conn)
		return false;
	Control__InfoRequest request = CONTROL__INFO_REQUEST__INIT;
	Control__InfoResponse *m = rpc_unary(conn, "/moby.buildkit.v1.Control/Info", NULL, &request,
					     &control__info_response__descriptor, x->cancel, 0, error);
	if (!m || !m->buildkitversion) {
		guard_free(m);
		return call_failed("failed to call info", error);
	}
	g_autofree char *text = info_text(m->buildkitversion, *format != '\0');
	guard_free(m);
	return *format ? print_formatted(format, text, error) : print_text(text, error);
}

static const struct command workers_command = {"workers", "list the daemon's workers", workers_flags,
					       G_N_ELEMENTS(workers_flags), run_workers};
static const struct command info_command = {"info", "print the daemon's version", info_flags, G_N_ELEMENTS(info_flags),
					    run_info};

static const struct command *const debug_commands[] = {
	&dump_llb_command, &workers_command,   &info_command,    &monitor_command, &logs_command,     &ctl_command,
	&get_command,      &histories_command, &explain_command, &stuck_command,   &timeline_command, NULL};

const struct command debug_command = {.name = "debug",
				      .usage = "debug the daemon and its builds",
				      .sub = debug_commands,
				      .arguments = "[command [command options]]"};
