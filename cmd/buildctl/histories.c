/* SPDX-License-Identifier: Apache-2.0 */
#include "api/guard.h"
#include "debug_commands.h"
#include "format.h"
#include "format/gotype.h"
#include "table.h"
#include <string.h>

static const struct flag format_flags[] = {
	FORMAT_FLAG,
};

static char *local_time(const Google__Timestamp *t)
{
	if (!t)
		return g_strdup("");
	g_autoptr(GDateTime) utc = g_date_time_new_from_unix_utc(t->seconds);
	g_autoptr(GDateTime) local = g_date_time_to_local(utc);
	g_autofree char *text = g_date_time_format(local, "%Y-%m-%dT%H:%M:%S%:z");
	/* Go prints Z for UTC. */
	if (g_str_has_suffix(text, "+00:00")) {
		text[strlen(text) - strlen("+00:00")] = '\0';
		return g_strconcat(text, "Z", NULL);
	}
	return g_steal_pointer(&text);
}

static const char *type_name(const Control__BuildHistoryEvent *e)
{
	switch (e->type) {
	case CONTROL__BUILD_HISTORY_EVENT_TYPE__STARTED:
		return "STARTED";
	case CONTROL__BUILD_HISTORY_EVENT_TYPE__COMPLETE:
		return "COMPLETE";
	case CONTROL__BUILD_HISTORY_EVENT_TYPE__DELETED:
	case _CONTROL__BUILD_HISTORY_EVENT_TYPE_IS_INT_SIZE:
		break;
	}
	return "DELETED";
}

/* Returns all current events; freeing the array frees each event with guard_free. */
static GPtrArray *list_events(struct context *x, rpc_conn *conn, GError **error)
{
	Control__BuildHistoryRequest request = CONTROL__BUILD_HISTORY_REQUEST__INIT;
	request.earlyexit = true;
	g_autoptr(GPtrArray) events = g_ptr_array_new_with_free_func(guard_free);
	g_autoptr(rpc_call) call =
		rpc_call_start(conn, "/moby.buildkit.v1.Control/ListenBuildHistory", NULL, x->cancel, 0, error);
	if (!call || !rpc_call_send_message(call, &request, error) || !rpc_call_close_send(call, error))
		return NULL;
	for (;;) {
		g_autoptr(GError) problem = NULL;
		Control__BuildHistoryEvent *e =
			rpc_call_recv_message(call, &control__build_history_event__descriptor, &problem);
		if (e) {
			g_ptr_array_add(events, e);
			continue;
		}
		if (!problem)
			return g_steal_pointer(&events);
		return error_propagate_null(error, g_steal_pointer(&problem));
	}
}

static void add_row(table *t, const Control__BuildHistoryEvent *e, bool pinned_column)
{
	const Control__BuildHistoryRecord *r = e->record;
	g_autofree char *created = local_time(r->createdat), *completed = local_time(r->completedat);
	table_printf(t, "%s\t%s\t%s\t%s\t%d\t", type_name(e), r->ref, created, completed, r->generation);
	table_add(t, pinned_column ? (r->pinned ? "*\n" : "\n") : "\n");
}

static bool print_event(const char *format, const Control__BuildHistoryEvent *e, GError **error)
{
	g_autofree char *json = history_json(e);
	return print_formatted(format, json, error);
}

static bool run_histories(struct context *x, const flags *f, GError **error)
{
	rpc_conn *conn = context_connect(x, "failed to list histories", error);
	g_autoptr(GPtrArray) events = conn ? list_events(x, conn, error) : NULL;
	if (!events)
		return conn ? call_failed("failed to list histories", error) : false;
	const char *format = flags_string(f, "format");
	bool ok = true;
	for (guint i = 0; ok && *format && i < events->len; i++)
		ok = print_event(format, events->pdata[i], error);
	if (*format)
		return ok;
	g_autoptr(table) t = table_new(1, 8, 1, '\t');
	table_add(t, "TYPE\tREF\tCREATED\tCOMPLETED\tGENERATION\tPINNED\n");
	for (guint i = 0; i < events->len; i++)
		if (((Control__BuildHistoryEvent *)events->pdata[i])->record)
			add_row(t, events->pdata[i], true);
	g_autofree char *text = table_text(t);
	return print_text(text, error);
}

static bool delete_record(struct context *x, rpc_conn *conn, char *ref, GError **error)
{
	Control__UpdateBuildHistoryRequest request = CONTROL__UPDATE_BUILD_HISTORY_REQUEST__INIT;
	request.ref = ref;
	request.delete_ = true;
	void *reply = rpc_unary(conn, "/moby.buildkit.v1.Control/UpdateBuildHistory", NULL, &request,
				&control__update_build_history_response__descriptor, x->cancel, 0, error);
	guard_free(reply);
	return reply != NULL;
}

static bool run_prune(struct context *x, const flags *f, GError **error)
{
	rpc_conn *conn = context_connect(x, "failed to list histories", error);
	g_autoptr(GPtrArray) events = conn ? list_events(x, conn, error) : NULL;
	if (!events)
		return conn ? call_failed("failed to list histories", error) : false;
	g_autoptr(table) t = table_new(1, 8, 1, '\t');
	const char *format = flags_string(f, "format");
	table_add(t, "TYPE\tREF\tCREATED\tCOMPLETED\tGENERATION\n");
	for (guint i = 0; i < events->len; i++) {
		const Control__BuildHistoryEvent *e = events->pdata[i];
		if (!e->record || e->record->pinned || e->type != CONTROL__BUILD_HISTORY_EVENT_TYPE__COMPLETE)
			continue;
		if (!delete_record(x, conn, e->record->ref, error))
			return call_failed("failed to delete history", error);
		if (*format && !print_event(format, e, error))
			return false;
		add_row(t, e, false);
	}
	if (*format)
		return true;
	g_autofree char *text = table_text(t);
	return print_text(text, error);
}

const struct command histories_command = {"histories", "list recorded builds", format_flags, G_N_ELEMENTS(format_flags),
					  run_histories};
const struct command prune_histories_command = {"prune-histories",
						"remove records of finished builds that are not pinned", format_flags,
						G_N_ELEMENTS(format_flags), run_prune};
