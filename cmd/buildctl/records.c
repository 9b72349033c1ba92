/* SPDX-License-Identifier: Apache-2.0 */
/* records: debug logs, monitor, ctl and get: build records of the daemon's history, and their blobs. */
#include "api/guard.h"
#include "client/display.h"
#include "content.pb-c.h"
#include "debug_commands.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CONTROL "/moby.buildkit.v1.Control/"
#define READ_BYTES (1024 * 1024)

/* Returns the only positional argument. what names the argument in the error text. */
static const char *only_word(const flags *f, const char *what, GError **error)
{
	if (flags_n_rest(f) == 1)
		return flags_rest(f)[0];
	return error_null(error, ERROR_INVALID_ARGUMENT,
			  flags_n_rest(f) == 0 ? "%s must be specified" : "only one %s can be given", what);
}

/* Starts a call that sends one message and receives a stream. */
static rpc_call *ask(struct context *x, const char *method, const void *request, GError **error)
{
	rpc_conn *conn = context_connect(x, NULL, error);
	g_autoptr(rpc_call) call = conn ? rpc_call_start(conn, method, NULL, x->cancel, 0, error) : NULL;
	if (!call || !rpc_call_send_message(call, request, error) || !rpc_call_close_send(call, error))
		return NULL;
	return g_steal_pointer(&call);
}

/* ---- get */

static bool write_blob(struct context *x, const char *digest, GError **error)
{
	Content__ReadContentRequest request = CONTENT__READ_CONTENT_REQUEST__INIT;
	request.digest = (char *)(uintptr_t)digest;
	g_autoptr(rpc_call) call = ask(x, "/containerd.services.content.v1.Content/Read", &request, error);
	g_autoptr(GError) failure = NULL;
	Content__ReadContentResponse *m;
	while (call && (m = rpc_call_recv_message(call, &content__read_content_response__descriptor, &failure))) {
		bool ok = fwrite(m->data.data, 1, m->data.len, stdout) == m->data.len;
		guard_free(m);
		if (!ok)
			return error_set_errno(error, errno, "write standard output");
	}
	if (failure)
		g_propagate_error(error, g_steal_pointer(&failure));
	if (!call || (error && *error))
		return call_failed("failed to read blob", error);
	return fflush(stdout) == 0 || error_set_errno(error, errno, "write standard output");
}

static bool run_get(struct context *x, const flags *f, GError **error)
{
	const char *digest = only_word(f, "blob digest", error);
	return digest && write_blob(x, digest, error);
}

/* ---- logs */

static const struct flag logs_flags[] = {
	{"progress", NULL, FLAG_STRING, "auto", NULL,
	 "progress display on standard output: auto, plain, tty, rawjson or quiet"},
	{"trace", NULL, FLAG_BOOL, NULL, NULL, "print the OpenTelemetry trace that the daemon recorded of the build"},
};

/* Returns the event with the record of a completed build. Free it with guard_free. */
static Control__BuildHistoryEvent *find_record(struct context *x, const char *ref, GError **error)
{
	Control__BuildHistoryRequest request = CONTROL__BUILD_HISTORY_REQUEST__INIT;
	request.ref = (char *)(uintptr_t)ref;
	request.earlyexit = true;
	g_autoptr(rpc_call) call = ask(x, CONTROL "ListenBuildHistory", &request, error);
	g_autoptr(GError) failure = NULL;
	Control__BuildHistoryEvent *e =
		call ? rpc_call_recv_message(call, &control__build_history_event__descriptor, &failure) : NULL;
	if (failure)
		g_propagate_error(error, g_steal_pointer(&failure));
	else if (call && !e)
		error_set(error, ERROR_NOT_FOUND, "no record of build %s", ref);
	return e;
}

/* Otherwise the trace is stored some seconds after the build. The daemon's answer is that of find_record. */
static void finalize(struct context *x, const char *ref)
{
	Control__UpdateBuildHistoryRequest request = CONTROL__UPDATE_BUILD_HISTORY_REQUEST__INIT;
	request.ref = (char *)(uintptr_t)ref;
	request.finalize = true;
	rpc_conn *conn = context_connect(x, NULL, NULL);
	void *reply = conn ? rpc_unary(conn, CONTROL "UpdateBuildHistory", NULL, &request,
				       &control__update_build_history_response__descriptor, x->cancel, 0, NULL)
			   : NULL;
	guard_free(reply);
}

static bool write_trace(struct context *x, const char *ref, GError **error)
{
	finalize(x, ref);
	Control__BuildHistoryEvent *e = find_record(x, ref, error);
	if (!e)
		return call_failed("failed to get record", error);
	g_autofree char *digest = e->record && e->record->trace ? g_strdup(e->record->trace->digest) : NULL;
	guard_free(e);
	if (!digest)
		return error_set(error, ERROR_NOT_FOUND, "ref %s does not have trace", ref);
	return write_blob(x, digest, error);
}

static bool show_logs(struct context *x, const char *ref, display *shown, GError **error)
{
	Control__StatusRequest request = CONTROL__STATUS_REQUEST__INIT;
	request.ref = (char *)(uintptr_t)ref;
	g_autoptr(rpc_call) call = ask(x, CONTROL "Status", &request, error);
	g_autoptr(GError) failure = NULL;
	Control__StatusResponse *m;
	while (call && (m = rpc_call_recv_message(call, &control__status_response__descriptor, &failure)))
		display_push(shown, m);
	if (failure)
		g_propagate_error(error, g_steal_pointer(&failure));
	return (call && !(error && *error)) || call_failed("failed to get status", error);
}

static bool run_logs(struct context *x, const flags *f, GError **error)
{
	const char *ref = only_word(f, "build ref", error);
	if (!ref)
		return false;
	if (flags_bool(f, "trace"))
		return write_trace(x, ref, error);
	g_autoptr(display) shown = display_new(flags_string(f, "progress"), STDOUT_FILENO, error);
	if (!shown)
		return false;
	bool ok = show_logs(x, ref, shown, error);
	display_close(shown);
	return ok;
}

/* ---- ctl */

static const struct flag ctl_flags[] = {
	{"pin", NULL, FLAG_BOOL, NULL, NULL, "exempt the record from garbage collection"},
	{"unpin", NULL, FLAG_BOOL, NULL, NULL, "subject the record to garbage collection again"},
	{"delete", NULL, FLAG_BOOL, NULL, NULL, "remove the record"},
};

static bool run_ctl(struct context *x, const flags *f, GError **error)
{
	const char *ref = only_word(f, "build ref", error);
	int wishes = flags_bool(f, "pin") + flags_bool(f, "unpin") + flags_bool(f, "delete");
	if (!ref)
		return false;
	if (wishes != 1)
		return error_set(error, ERROR_INVALID_ARGUMENT,
				 "exactly one of --pin, --unpin and --delete must be given");
	rpc_conn *conn = context_connect(x, "failed to update record", error);
	if (!conn)
		return false;
	Control__UpdateBuildHistoryRequest request = CONTROL__UPDATE_BUILD_HISTORY_REQUEST__INIT;
	request.ref = (char *)(uintptr_t)ref;
	request.pinned = flags_bool(f, "pin");
	request.delete_ = flags_bool(f, "delete");
	void *reply = rpc_unary(conn, CONTROL "UpdateBuildHistory", NULL, &request,
				&control__update_build_history_response__descriptor, x->cancel, 0, error);
	guard_free(reply);
	return reply || call_failed("failed to update record", error);
}

/* ---- monitor */

static const struct flag monitor_flags[] = {
	{"completed", NULL, FLAG_BOOL, NULL, NULL, "also show completed builds"},
	{"ref", NULL, FLAG_STRING, NULL, NULL, "show only events of this build"},
};

static const char *event_word(const Control__BuildHistoryEvent *e)
{
	static const char *const words[] = {"STARTED", "COMPLETE", "DELETED"};
	return (size_t)e->type < G_N_ELEMENTS(words) ? words[e->type] : "UNKNOWN";
}

/* Formats a descriptor like the text format of protobuf. */
static void add_descriptor(GString *out, const char *name, const Control__Descriptor *d)
{
	if (d)
		g_string_append_printf(out, "  %s: media_type:\"%s\" digest:\"%s\" size:%" G_GINT64_FORMAT "\n", name,
				       d->media_type, d->digest, d->size);
}

static void add_result(GString *out, const char *platform, const Control__BuildResultInfo *r)
{
	g_autofree char *prefix = *platform ? g_strdup_printf("[%s] ", platform) : g_strdup("");
	g_autofree char *descriptor = g_strconcat(prefix, "descriptor", NULL),
			*attestation = g_strconcat(prefix, "attestation", NULL);
	if (!r)
		return;
	for (size_t i = 0; i < r->n_results; i++)
		add_descriptor(out, descriptor, r->results[i]->value);
	for (size_t i = 0; i < r->n_attestations; i++)
		add_descriptor(out, attestation, r->attestations[i]);
}

static char *event_text(const Control__BuildHistoryEvent *e)
{
	GString *out = g_string_new(NULL);
	const Control__BuildHistoryRecord *r = e->record;
	g_string_append_printf(out, "event: %s ref:%s\n", event_word(e), r ? r->ref : "");
	if (!r)
		return g_string_free(out, FALSE);
	if (r->numtotalsteps > 0)
		g_string_append_printf(out, "  cache: %d/%d\n", r->numcachedsteps, r->numtotalsteps);
	if (r->numwarnings > 0)
		g_string_append_printf(out, "  warnings: %d\n", r->numwarnings);
	add_descriptor(out, "logs", r->logs);
	add_descriptor(out, "trace", r->trace);
	add_result(out, "", r->result);
	for (size_t i = 0; i < r->n_results; i++)
		add_result(out, r->results[i]->key, r->results[i]->value);
	return g_string_free(out, FALSE);
}

static bool run_monitor(struct context *x, const flags *f, GError **error)
{
	Control__BuildHistoryRequest request = CONTROL__BUILD_HISTORY_REQUEST__INIT;
	request.activeonly = !flags_bool(f, "completed");
	request.ref = (char *)(uintptr_t)flags_string(f, "ref");
	g_autoptr(rpc_call) call = ask(x, CONTROL "ListenBuildHistory", &request, error);
	g_autoptr(GError) failure = NULL;
	Control__BuildHistoryEvent *e;
	while (call && (e = rpc_call_recv_message(call, &control__build_history_event__descriptor, &failure))) {
		g_autofree char *text = event_text(e);
		guard_free(e);
		if (!print_text(text, error))
			return false;
	}
	if (failure && !cancel_is_set(x->cancel)) /* Ctrl-C ends the command without an error */
		g_propagate_error(error, g_steal_pointer(&failure));
	return (call && !(error && *error)) || call_failed("failed to listen for builds", error);
}

const struct command logs_command = {"logs",     "show the logs of a recorded build",
				     logs_flags, G_N_ELEMENTS(logs_flags),
				     run_logs,   .arguments = "[options] REF"};
const struct command monitor_command = {"monitor", "show build history events as they occur", monitor_flags,
					G_N_ELEMENTS(monitor_flags), run_monitor};
const struct command ctl_command = {"ctl",     "pin, unpin or remove a build's record",
				    ctl_flags, G_N_ELEMENTS(ctl_flags),
				    run_ctl,   .arguments = "[options] REF"};
const struct command get_command = {"get",   "write a blob to standard output", NULL, 0,
				    run_get, .arguments = "[options] DIGEST"};
