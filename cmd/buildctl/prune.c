/* SPDX-License-Identifier: Apache-2.0 */
#include "api/guard.h"
#include "command.h"
#include "format.h"
#include "format/gotype.h"
#include "usage.h"
#include <stdio.h>
#include <string.h>

#define MB 1e6

static const struct flag prune_flags[] = {
	{"keep-duration", NULL, FLAG_DURATION, "0s", NULL, "keep records that were used within this time"},
	{"keep-storage", NULL, FLAG_FLOAT, "0", NULL, "remove records until the cache is no larger than this (MB)"},
	{"keep-storage-min", NULL, FLAG_FLOAT, "0", NULL, "keep at least this much of the cache (MB)"},
	{"free-storage", NULL, FLAG_FLOAT, "0", NULL, "remove records until this much disk space is free (MB)"},
	{"filter", "f", FLAG_STRINGS, NULL, NULL, "remove only records that match, e.g. type==regular"},
	{"all", NULL, FLAG_BOOL, NULL, NULL, "also remove internal records of frontends"},
	{"verbose", "v", FLAG_BOOL, NULL, NULL, "print all details of each removed record"},
	FORMAT_FLAG,
};

/* Prints each record when it is removed; the header is printed before the first one. */
static bool print_record(const Control__UsageRecord *r, bool first, const flags *f, GError **error)
{
	g_autoptr(table) t = table_new(1, 8, 1, '\t');
	if (*flags_string(f, "format")) {
		g_autofree char *json = usage_json(r);
		return print_formatted(flags_string(f, "format"), json, error);
	}
	if (flags_bool(f, "verbose")) {
		usage_verbose(t, r);
	} else {
		if (first)
			usage_header(t);
		usage_row(t, r);
	}
	g_autofree char *text = table_text(t);
	return print_text(text, error);
}

static bool receive(rpc_call *call, const flags *f, int64_t *ret_total, GError **error)
{
	bool first = true;
	for (;; first = false) {
		g_autoptr(GError) problem = NULL;
		Control__UsageRecord *r = rpc_call_recv_message(call, &control__usage_record__descriptor, &problem);
		if (!r) {
			if (problem)
				g_propagate_error(error, g_steal_pointer(&problem));
			return !(error && *error);
		}
		*ret_total += r->size;
		bool ok = print_record(r, first, f, error);
		guard_free(r);
		if (!ok)
			return false;
	}
}

static void fill_request(Control__PruneRequest *m, const flags *f)
{
	control__prune_request__init(m);
	m->filter = (char **)(uintptr_t)flags_strings(f, "filter");
	m->n_filter = g_strv_length(m->filter);
	m->all = flags_bool(f, "all");
	m->keepduration = flags_duration_ns(f, "keep-duration");
	m->maxusedspace = (int64_t)(flags_float(f, "keep-storage") * MB);
	m->reservedspace = (int64_t)(flags_float(f, "keep-storage-min") * MB);
	m->minfreespace = (int64_t)(flags_float(f, "free-storage") * MB);
}

static bool run(struct context *x, const flags *f, GError **error)
{
	rpc_conn *conn = context_connect(x, "failed to call prune", error);
	if (!conn)
		return false;
	const char *format = flags_string(f, "format");
	Control__PruneRequest request;
	fill_request(&request, f);
	int64_t total = 0;
	g_autoptr(rpc_call) call = rpc_call_start(conn, "/moby.buildkit.v1.Control/Prune", NULL, x->cancel, 0, error);
	if (!call || !rpc_call_send_message(call, &request, error) || !rpc_call_close_send(call, error) ||
	    !receive(call, f, &total, error))
		return call_failed("failed to call prune", error);
	if (*format)
		return true;
	g_autofree char *size = size_format(total);
	g_autofree char *line = g_strdup_printf("Total:\t%s\n", size);
	return print_text(line, error);
}

const struct command prune_command = {"prune", "remove records of the build cache", prune_flags,
				      G_N_ELEMENTS(prune_flags), run};
