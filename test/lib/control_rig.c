/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/control_rig.h"
#include "api/guard.h"
#include <string.h>

static struct control_rig *the_rig;

/* ---- the builder */

worker *builder_worker(builder *b)
{
	return &the_rig->worker;
}

worker *const *builder_workers(builder *b, size_t *ret_n)
{
	*ret_n = 1;
	return the_rig->workers;
}

history *builder_history(builder *b)
{
	return the_rig->history;
}

solver *builder_solver(builder *b)
{
	return the_rig->solver;
}

bool builder_solve(builder *b, const struct build_request *request, cancel *c, GHashTable **ret_response,
		   GError **error)
{
	g_autoptr(GHashTable) response = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	if (!the_rig->solve(request, response, error))
		return false;
	*ret_response = g_steal_pointer(&response);
	return true;
}

progress_log *builder_peek_log(builder *b, const char *ref)
{
	g_mutex_lock(&the_rig->mu);
	progress_log *log = g_strcmp0(the_rig->running, ref) == 0 ? progress_log_ref(the_rig->log) : NULL;
	g_mutex_unlock(&the_rig->mu);
	return log;
}

guint builder_watch(builder *b, void (*fn)(void *data), void *data)
{
	g_mutex_lock(&the_rig->mu);
	the_rig->notify = fn;
	the_rig->notify_data = data;
	g_mutex_unlock(&the_rig->mu);
	event_raise(&the_rig->watched);
	return 1;
}

void builder_unwatch(builder *b, guint id)
{
	g_assert_cmpuint(id, ==, 1);
	g_mutex_lock(&the_rig->mu);
	the_rig->notify = NULL;
	g_mutex_unlock(&the_rig->mu);
}

gateway *builder_find_gateway(builder *b, const char *ref, int timeout_ms, cancel *c, GError **error)
{
	g_assert_cmpint(timeout_ms, ==, 3000);
	g_mutex_lock(&the_rig->mu);
	gateway *found = g_strcmp0(the_rig->running, ref) == 0 ? gateway_ref(the_rig->gateway) : NULL;
	g_mutex_unlock(&the_rig->mu);
	if (!found)
		error_set(error, ERROR_NOT_FOUND, "no such job %s", ref);
	return found;
}

/* ---- the rig */

void control_rig_init(struct control_rig *r)
{
	g_autoptr(GError) error = NULL;
	*r = (struct control_rig){0};
	the_rig = r;
	rig_set_up(&r->cache, "native");
	r->history = history_open(r->cache.root, r->cache.path, &(struct history_limits){1, 10}, &error);
	g_assert_no_error(error);
	r->worker = (struct worker){.id = (char *)"w1", .cache = r->cache.c, .blobs = r->cache.blobs};
	r->worker.labels = g_hash_table_new(g_str_hash, g_str_equal);
	g_hash_table_insert(r->worker.labels, (void *)"a.b", (void *)"c");
	r->workers[0] = &r->worker;
	r->solver = solver_new(&(struct solver_options){.root_fd = -1}, &error);
	g_assert_no_error(error);
	r->control = (struct control){.builder = (builder *)r, .sessions = session_registry_new()};
	rpc_pair_init(&r->pair);
	control_register(r->pair.server, &r->control);
	rpc_pair_connect(&r->pair);
}

void control_rig_clear(struct control_rig *r)
{
	rpc_pair_clear(&r->pair);
	session_registry_free(r->control.sessions);
	solver_free(r->solver);
	g_assert_null(r->notify);
	g_hash_table_unref(r->worker.labels);
	progress_log_unref(r->log);
	g_free(r->running);
	history_close(r->history);
	rig_tear_down(&r->cache, NULL);
	the_rig = NULL;
}

void control_rig_begin(struct control_rig *r, const char *ref)
{
	g_mutex_lock(&r->mu);
	r->running = g_strdup(ref);
	r->log = progress_log_new();
	if (r->notify)
		r->notify(r->notify_data);
	g_mutex_unlock(&r->mu);
}

void control_rig_store(struct control_rig *r, const char *ref, GBytes *log)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GHashTable) none = g_hash_table_new(g_str_hash, g_str_equal);
	struct history_build build = {.ref = ref, .frontend = "", .frontend_attrs = none, .started_ns = 1};
	history_started(r->history, &build);
	history_completed(r->history, &build, &(struct history_end){.completed_ns = 2, .log = log, .metadata = none},
			  &error);
	g_assert_no_error(error);
}

rpc_call *control_rig_stream(struct control_rig *r, const char *path, const void *request)
{
	g_autoptr(GError) error = NULL;
	rpc_call *call = rpc_call_start(r->pair.conn, path, NULL, NULL, 0, &error);
	g_assert_no_error(error);
	if (rpc_call_send_message(call, request,
				  NULL)) /* fails if the server has ended the call, as the status tells */
		rpc_call_close_send(call, NULL);
	return call;
}

void control_rig_failed(void *reply, GError **error, enum error_code code, const char *text)
{
	g_assert_null(reply);
	g_assert_nonnull(*error);
	g_assert_cmpstr((*error)->message, ==, text);
	g_assert_cmpint(error_get_code(*error), ==, code);
	g_clear_error(error);
}
