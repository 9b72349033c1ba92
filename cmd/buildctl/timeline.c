/* SPDX-License-Identifier: Apache-2.0 */
/* debug timeline: writes the timeline of a build as an HTML page or as a trace. */
#include "debug_commands.h"
#include "api/guard.h"
#include "os/file.h"
#include "progress/progress.h"
#include "timeline/data.h"
#include "timeline/page.h"
#include <string.h>
#include <unistd.h>

#define CONTROL "/moby.buildkit.v1.Control/"
#define WHAT "failed to get timeline"

static const struct flag timeline_flags[] = {
	{"output", "o", FLAG_STRING, "-", NULL, "file to write; -: standard output"},
	{"format", NULL, FLAG_STRING, "html", NULL,
	 "html: a page for a browser; chrome-trace: JSON for Perfetto or chrome://tracing"},
	{"compare", NULL, FLAG_STRING, NULL, NULL, "compare with this earlier build, step by step (html only)"},
};

static rpc_call *ask(struct context *x, rpc_conn *conn, const char *method, const void *request, GError **error)
{
	g_autoptr(rpc_call) call = rpc_call_start(conn, method, NULL, x->cancel, 0, error);
	if (!call || !rpc_call_send_message(call, request, error) || !rpc_call_close_send(call, error))
		return NULL;
	return g_steal_pointer(&call);
}

static bool read_record(struct context *x, rpc_conn *conn, timeline *t, const char *ref, GError **error)
{
	Control__BuildHistoryRequest request = CONTROL__BUILD_HISTORY_REQUEST__INIT;
	request.ref = (char *)(uintptr_t)ref;
	request.earlyexit = true;
	g_autoptr(rpc_call) call = ask(x, conn, CONTROL "ListenBuildHistory", &request, error);
	g_autoptr(GError) failure = NULL;
	Control__BuildHistoryEvent *e =
		call ? rpc_call_recv_message(call, &control__build_history_event__descriptor, &failure) : NULL;
	bool found = e && e->record;
	if (found)
		timeline_set_record(t, e->record);
	guard_free(e);
	if (failure)
		return error_propagate(error, g_steal_pointer(&failure));
	return found || (call && error_set(error, ERROR_NOT_FOUND, "no record of build %s", ref));
}

/* Of a running build: until it ends. */
static bool read_status(struct context *x, rpc_conn *conn, timeline *t, const char *ref, GError **error)
{
	Control__StatusRequest request = CONTROL__STATUS_REQUEST__INIT;
	request.ref = (char *)(uintptr_t)ref;
	g_autoptr(rpc_call) call = ask(x, conn, CONTROL "Status", &request, error);
	g_autoptr(GError) failure = NULL;
	Control__StatusResponse *m;
	while (call && (m = rpc_call_recv_message(call, &control__status_response__descriptor, &failure))) {
		timeline_update(t, m);
		guard_free(m);
	}
	if (failure)
		return error_propagate(error, g_steal_pointer(&failure));
	return call != NULL;
}

/* Other daemons do not have this service, and a build that ran no step has nothing to explain. */
static bool read_reasons(struct context *x, rpc_conn *conn, timeline *t, const char *ref, GError **error)
{
	Explain__ExplainRequest request = EXPLAIN__EXPLAIN_REQUEST__INIT;
	request.ref = (char *)(uintptr_t)ref;
	g_autoptr(GError) failure = NULL;
	Explain__ExplainResponse *m = rpc_unary(conn, "/buildkitc.explain.v1.Explain/Explain", NULL, &request,
						&explain__explain_response__descriptor, x->cancel, 0, &failure);
	if (m)
		timeline_explain(t, m);
	guard_free(m);
	if (!failure || error_is(failure, ERROR_UNIMPLEMENTED) || error_is(failure, ERROR_NOT_FOUND) ||
	    error_is(failure, ERROR_FAILED_PRECONDITION))
		return true;
	return error_propagate(error, g_steal_pointer(&failure));
}

static timeline *read_build(struct context *x, rpc_conn *conn, const char *ref, GError **error)
{
	g_autoptr(timeline) t = timeline_new(ref, NULL);
	if (!read_record(x, conn, t, ref, error) || !read_status(x, conn, t, ref, error))
		return NULL;
	if (!t->completed_ns && !read_record(x, conn, t, ref, error)) /* it ended meanwhile */
		return NULL;
	if (!read_reasons(x, conn, t, ref, error))
		return NULL;
	timeline_analyze(t, progress_now_ns());
	return g_steal_pointer(&t);
}

static bool write_output(const char *path, const char *text, GError **error)
{
	if (strcmp(path, "-") != 0)
		return g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0666, error);
	return file_write_all(STDOUT_FILENO, text, strlen(text)) ||
	       error_set_errno(error, errno, "write standard output");
}

static bool check_arguments(const flags *f, bool *ret_trace, GError **error)
{
	const char *format = flags_string(f, "format");
	*ret_trace = strcmp(format, "chrome-trace") == 0;
	if (flags_n_rest(f) != 1)
		return error_set(error, ERROR_INVALID_ARGUMENT,
				 flags_n_rest(f) == 0 ? "build ref must be specified"
						      : "only one build ref can be given");
	if (!*ret_trace && strcmp(format, "html") != 0)
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid format \"%s\": use html or chrome-trace",
				 format);
	if (*ret_trace && *flags_string(f, "compare"))
		return error_set(error, ERROR_INVALID_ARGUMENT, "--compare needs --format html");
	return true;
}

static bool run_timeline(struct context *x, const flags *f, GError **error)
{
	const char *compare = flags_string(f, "compare");
	bool trace = false;
	if (!check_arguments(f, &trace, error))
		return false;
	rpc_conn *conn = context_connect(x, WHAT, error);
	if (!conn)
		return false;
	g_autoptr(timeline) t = read_build(x, conn, flags_rest(f)[0], error), earlier = NULL;
	if (t && *compare)
		earlier = read_build(x, conn, compare, error);
	if (!t || (*compare && !earlier))
		return call_failed(WHAT, error);
	const struct timeline_page page = {.now_ns = progress_now_ns()};
	g_autofree char *text = trace     ? timeline_chrome_trace(t)
				: earlier ? timeline_page_compare(earlier, t, &page)
					  : timeline_page_build(t, &page);
	return write_output(flags_string(f, "output"), text, error);
}

const struct command timeline_command = {.name = "timeline",
					 .usage = "write the timeline of a build as a page or a trace",
					 .flags = timeline_flags,
					 .n_flags = G_N_ELEMENTS(timeline_flags),
					 .run = run_timeline,
					 .arguments = "[options] REF"};
