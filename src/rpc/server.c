/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/server.h"
#include "api/message.h"
#include "base/hash_walk.h"
#include "trace/tracer.h"
#include <poll.h>

/* Turns do not wait for peers, but some read a database. */
#define TURN_THREADS 4

struct method_entry {
	const struct rpc_method *method;
	void *data;
};

/* ---- methods */

static char *service_of(const char *path)
{
	const char *slash = path[0] == '/' ? strrchr(path, '/') : NULL;
	return slash > path ? g_strndup(path + 1, (gsize)(slash - path - 1)) : NULL;
}

void rpc_server_add(rpc_server *s, const struct rpc_method *methods, size_t n, void *data)
{
	g_mutex_lock(&s->mu);
	for (size_t i = 0; i < n; i++) {
		struct method_entry *entry = g_new(struct method_entry, 1);
		*entry = (struct method_entry){&methods[i], data};
		g_hash_table_insert(s->methods, (char *)methods[i].path, entry);
		g_hash_table_add(s->services, service_of(methods[i].path));
	}
	g_mutex_unlock(&s->mu);
}

char **server_services(rpc_server *s)
{
	g_autoptr(GStrvBuilder) names = g_strv_builder_new();
	g_mutex_lock(&s->mu);
	for (struct hash_walk it = hash_walk(s->services); hash_walk_next(&it);)
		g_strv_builder_add(names, it.key);
	g_mutex_unlock(&s->mu);
	return g_strv_builder_end(names);
}

bool server_has_service(rpc_server *s, const char *name)
{
	g_mutex_lock(&s->mu);
	bool has = g_hash_table_contains(s->services, name);
	g_mutex_unlock(&s->mu);
	return has;
}

void server_add_health_watcher(rpc_server *s, rpc_call *call)
{
	g_mutex_lock(&s->mu);
	g_hash_table_add(s->health_watchers, call);
	g_mutex_unlock(&s->mu);
}

void server_remove_health_watcher(rpc_server *s, rpc_call *call)
{
	g_mutex_lock(&s->mu);
	g_hash_table_remove(s->health_watchers, call);
	g_mutex_unlock(&s->mu);
}

void rpc_server_set_serving(rpc_server *s, bool serving)
{
	g_mutex_lock(&s->mu);
	s->not_serving = !serving;
	for (struct hash_walk it = hash_walk(s->health_watchers); hash_walk_next(&it);)
		rpc_call_kick(it.key);
	g_mutex_unlock(&s->mu);
}

bool rpc_server_is_serving(rpc_server *s)
{
	g_mutex_lock(&s->mu);
	bool serving = !s->not_serving;
	g_mutex_unlock(&s->mu);
	return serving;
}

/* Call with conn->mu held. */
static void refuse(rpc_call *call, enum error_code code, const char *format, ...) G_GNUC_PRINTF(3, 4);
static void refuse(rpc_call *call, enum error_code code, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	g_autoptr(GError) error = g_error_new_valist(error_domain(), (int)code, format, args);
	va_end(args);
	call_respond(call, error);
}

static void refuse_unknown(rpc_server *s, rpc_call *call)
{
	g_autofree char *service = service_of(call->path);
	if (!service)
		refuse(call, ERROR_UNIMPLEMENTED, "malformed method name: \"%s\"", call->path);
	else if (!server_has_service(s, service))
		refuse(call, ERROR_UNIMPLEMENTED, "unknown service %s", service);
	else
		refuse(call, ERROR_UNIMPLEMENTED, "unknown method %s for service %s", call->path + strlen(service) + 2,
		       service);
}

static bool find_method(rpc_server *s, rpc_call *call)
{
	g_mutex_lock(&s->mu);
	const struct method_entry *entry = g_hash_table_lookup(s->methods, call->path);
	if (entry) {
		call->method = entry->method;
		call->method_data = entry->data;
	}
	g_mutex_unlock(&s->mu);
	return entry;
}

/* ---- starting handlers; conn->mu held */

/* Counts the call among those that hold a thread. */
static bool take_thread(rpc_server *s, rpc_call *call, GError **error)
{
	rpc_conn *c = call->conn;
	if (c->unsent > UNSENT_BYTES)
		return error_set(error, ERROR_RESOURCE_EXHAUSTED, "%s: too many unread replies on the connection",
				 call->path);
	if (c->threads >= (guint)LIMIT_CONNECTION_THREADS)
		return error_set(error, ERROR_RESOURCE_EXHAUSTED,
				 "%s: the limit of %lld running calls of a connection is reached", call->path,
				 LIMIT_CONNECTION_THREADS);
	if (!pool_push_now(s->handlers, call, error))
		return error_prefix(error, "%s: no thread for the call: ", call->path);
	c->threads++;
	return true;
}

void server_start(rpc_call *call)
{
	rpc_server *s = call->conn->server;
	g_autoptr(GError) error = NULL;
	g_mutex_lock(&s->mu);
	bool stopping = s->stopping;
	s->open_calls += !stopping;
	g_mutex_unlock(&s->mu);
	if (stopping) {
		refuse(call, ERROR_UNAVAILABLE, "the server is stopping");
		return;
	}
	call->dispatched = true;
	call->recv_waiting = false;
	call_trace_server(call);
	if (call->method->turn ? turns_begin(s, call, &error) : take_thread(s, call, &error))
		return;
	call->dispatched = false;
	call_trace_end(call, error);
	server_call_done(s);
	call_respond(call, error);
}

void server_call_done(rpc_server *s)
{
	g_mutex_lock(&s->mu);
	s->open_calls--;
	g_cond_broadcast(&s->changed);
	g_mutex_unlock(&s->mu);
}

static bool check_request(rpc_call *call)
{
	if (!call->path || !call->is_post)
		call_refuse_http(call, "405");
	else if (!call->content_type || !g_str_has_prefix(call->content_type, "application/grpc"))
		call_refuse_http(call, "415");
	else if (call->encoding && strcmp(call->encoding, "identity") != 0)
		refuse(call, ERROR_UNIMPLEMENTED, "grpc: Decompressor is not installed for grpc-encoding \"%s\"",
		       call->encoding);
	else
		return true;
	return false;
}

void server_request(rpc_call *call, bool end_stream)
{
	rpc_server *s = call->conn->server;
	rpc_conn *c = call->conn;
	call->headers_here = true;
	if (!check_request(call))
		return;
	if (!find_method(s, call)) {
		refuse_unknown(s, call);
		return;
	}
	if (call->timeout_us) {
		call->deadline_us = g_get_monotonic_time() + call->timeout_us;
		c->deadline_us = c->deadline_us ? MIN(c->deadline_us, call->deadline_us) : call->deadline_us;
		conn_wake_at(c, call->deadline_us);
	}
	bool at_once = call->method->turn ? call->method->headers_only : call->method->stream && !call->method->request;
	if (at_once) {
		server_start(call);
		return;
	}
	call->recv_waiting = true;
	if (end_stream)
		server_data(call);
}

bool server_starts_on_message(const rpc_call *call)
{
	return !call->method->unary && !call->out_end;
}

/* The input ended: starts a unary call, wakes readers of a stream. */
void server_data(rpc_call *call)
{
	if (call->dispatched) {
		g_cond_broadcast(&call->recv_cond);
		if (call->tunnel)
			tunnel_notify(call->tunnel);
		return;
	}
	if (call->out_end || !call->method)
		return;
	if (call->messages.length == 1 && frame_partial(&call->reader) == 0)
		server_start(call);
	else
		refuse(call, ERROR_INTERNAL, "the call needs one message: %s",
		       frame_partial(&call->reader) ? "unexpected EOF"
		       : call->messages.length      ? "more came"
						    : "none came");
}

/* ---- on the call's thread */

static ProtobufCMessage *run_unary(rpc_call *call, GError **error)
{
	g_mutex_lock(&call->conn->mu);
	g_autoptr(GBytes) bytes = call_take(call);
	g_mutex_unlock(&call->conn->mu);
	if (!bytes)
		return error_null(error, ERROR_CANCELED, "context canceled");
	ProtobufCMessage *request = message_unpack(call->method->request, bytes, error);
	if (!request)
		return NULL;
	g_clear_pointer(&bytes, g_bytes_unref);
	ProtobufCMessage *reply = call->method->unary(call, request, call->method_data, error);
	guard_free(request);
	return reply;
}

void server_answer(rpc_call *call, uint8_t *packed, size_t n, const GError *error)
{
	call_trace_end(call, error); /* before the peer sees the answer, and may ask for the trace */
	g_mutex_lock(&call->conn->mu);
	if (packed && !call->closed && !call->out_end)
		call_push_owned(call, packed, n);
	else
		g_free(packed);
	call_respond(call, error);
	conn_pump(call->conn);
	g_mutex_unlock(&call->conn->mu);
}

static void unary_main(rpc_server *s, rpc_call *call)
{
	g_autoptr(GError) error = NULL;
	uint8_t *packed = NULL;
	size_t n = 0;
	ProtobufCMessage *reply = run_unary(call, &error);
	if (reply) {
		n = protobuf_c_message_get_packed_size(reply);
		if (n > (size_t)LIMIT_MESSAGE_BYTES) {
			error_set(&error, ERROR_RESOURCE_EXHAUSTED,
				  "grpc: trying to send message larger than max (%zu vs. %lld)", n,
				  LIMIT_MESSAGE_BYTES);
		} else {
			packed = g_malloc(n ? n : 1);
			protobuf_c_message_pack(reply, packed);
		}
		guard_free(reply);
	} else if (!error) {
		error_set(&error, ERROR_INTERNAL, "no reply from %s", call->path);
	}
	server_answer(call, packed, n, error);
	if (error && s->hook)
		s->hook(call->path, error, s->hook_data);
}

static void call_main(void *job, void *data)
{
	rpc_call *call = job;
	rpc_server *s = data;
	trace_scope scope = trace_scope_enter(call->span ? call->span : s->span);
	if (call->method->unary) {
		unary_main(s, call);
	} else {
		g_autoptr(GError) error = NULL;
		if (!call->method->stream(call, call->method_data, &error) && !error)
			error_set(&error, ERROR_UNKNOWN, "%s failed", call->path);
		server_answer(call, NULL, 0, error);
	}
	trace_scope_end(&scope);
	g_mutex_lock(&call->conn->mu);
	call->conn->threads--;
	g_mutex_unlock(&call->conn->mu);
	rpc_call_unref(call);
	server_call_done(s);
}

/* ---- connections */

rpc_conn *server_add_stream(rpc_server *s, struct stream *stream, struct peer *peer, GError **error)
{
	rpc_conn *c = conn_new(s->loop, stream, s, NULL);
	if (peer)
		c->peer = *peer;
	g_mutex_lock(&s->mu);
	bool stopping = s->stopping;
	if (!stopping) {
		g_hash_table_add(s->conns, conn_keep(c));
		if (peer)
			admission_enter(&s->admission, &c->peer);
	}
	g_mutex_unlock(&s->mu);
	if (stopping) {
		c->server = NULL; /* the server has not seen it */
		rpc_conn_unref(c);
		return error_null(error, ERROR_UNAVAILABLE, "the server is stopping");
	}
	if (conn_start(c, error))
		return c;
	rpc_conn_unref(c);
	return NULL;
}

/* Call with s->mu held. Runs once: when the connection ends or when another replaces it. */
static void give_up_place(rpc_server *s, rpc_conn *c)
{
	if (c->peer.slot == SLOT_NONE)
		return;
	admission_leave(&s->admission, &c->peer);
	c->peer.slot = SLOT_NONE;
}

void server_closed(rpc_server *s, rpc_conn *c)
{
	bool drop_user = c->server_user;
	g_mutex_lock(&s->mu);
	bool was = g_hash_table_remove(s->conns, c);
	if (was)
		give_up_place(s, c);
	/* The last access to the server: rpc_server_stop continues when the set is empty. */
	g_cond_broadcast(&s->changed);
	g_mutex_unlock(&s->mu);
	if (drop_user)
		rpc_conn_unref(c);
	if (was)
		conn_release(c);
}

/* A client that has just connected is about to make a call: it is closed only if no other connection can be. */
#define SETTLED_MS 1000

struct candidate {
	rpc_conn *conn;
	bool is_settled;
	guint of_source;
	guint age_ms;
};

static bool is_better(const struct candidate *a, const struct candidate *b)
{
	if (!b->conn || a->is_settled != b->is_settled)
		return !b->conn || a->is_settled;
	return a->of_source != b->of_source ? a->of_source > b->of_source : a->age_ms > b->age_ms;
}

/* Call with s->mu held. */
static void consider(rpc_server *s, rpc_conn *c, const char *source, struct candidate *best)
{
	enum activity activity = (enum activity)g_atomic_int_get(&c->activity);
	struct candidate one = {.conn = c};
	bool is_of = !source || g_str_equal(c->peer.source ? c->peer.source : "", source) ||
		     g_strcmp0(c->peer.process, source) == 0;
	if (c->peer.slot == SLOT_NONE || activity == ACTIVITY_BUSY || !is_of)
		return;
	one.age_ms = (guint)(g_get_monotonic_time() / 1000) - (guint)g_atomic_int_get(&c->activity_ms);
	one.is_settled = one.age_ms >= SETTLED_MS;
	one.of_source = admission_of_peer(&s->admission, &c->peer);
	if (is_better(&one, best))
		*best = one;
}

bool server_make_room(rpc_server *s, const char *source)
{
	struct candidate best = {0};
	g_mutex_lock(&s->mu);
	for (struct hash_walk it = hash_walk(s->conns); hash_walk_next(&it);)
		consider(s, it.key, source, &best);
	if (best.conn)
		conn_keep(best.conn);
	g_mutex_unlock(&s->mu);
	if (!best.conn)
		return false;
	bool closed = conn_close_idle(best.conn, "closed without calls to make room for another connection");
	if (closed) {
		g_mutex_lock(&s->mu);
		give_up_place(s, best.conn);
		g_mutex_unlock(&s->mu);
	}
	conn_release(best.conn);
	return closed;
}

rpc_conn *rpc_server_attach(rpc_server *s, int fd_in, int fd_out)
{
	return server_add_stream(s, stream_fd_new(s->loop, fd_in, fd_out), NULL, NULL);
}

bool rpc_server_serve_tunnel(rpc_server *s, rpc_call *call, GError **error)
{
	g_autoptr(rpc_conn) c = server_add_stream(s, stream_tunnel_new(s->loop, call), NULL, error);
	if (!c)
		return false;
	while (!cancel_is_set(c->closed))
		cancel_poll(c->closed, NULL, 0, -1, NULL);
	g_mutex_lock(&call->conn->mu);
	bool ended = call->closed;
	bool failed = call->error;
	if (failed)
		g_propagate_error(error, g_error_copy(call->error));
	g_mutex_unlock(&call->conn->mu);
	if (!ended)
		rpc_call_close_send(call, NULL);
	return !failed;
}

/* ---- creating and stopping */

void rpc_server_take_large_headers(rpc_server *s)
{
	s->large_headers = true;
}

rpc_server *rpc_server_new(rpc_loop *loop)
{
	rpc_server *s = g_new0(rpc_server, 1);
	s->loop = loop;
	s->handlers = pool_new("call", (unsigned)LIMIT_CALL_THREADS, call_main, s);
	s->turns = pool_new("turn", TURN_THREADS, turns_run, s);
	g_mutex_init(&s->mu);
	g_cond_init(&s->changed);
	s->methods = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, g_free);
	s->services = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	s->conns = g_hash_table_new(NULL, NULL);
	admission_init(&s->admission);
	s->listeners = g_ptr_array_new();
	s->health_watchers = g_hash_table_new(NULL, NULL);
	return s;
}

void rpc_server_set_error_hook(rpc_server *s, void (*hook)(const char *path, const GError *error, void *data),
			       void *data)
{
	s->hook = hook;
	s->hook_data = data;
}

void rpc_server_set_refused_hook(rpc_server *s, void (*hook)(const char *peer, const char *reason, void *data),
				 void *data)
{
	s->refused_hook = hook;
	s->refused_data = data;
}

size_t rpc_server_open_calls(const rpc_server *s)
{
	rpc_server *mutable = (rpc_server *)s;
	g_mutex_lock(&mutable->mu);
	size_t n = s->open_calls;
	g_mutex_unlock(&mutable->mu);
	return n;
}

int rpc_server_port(const rpc_server *s)
{
	return s->port;
}

static GPtrArray *keep_conns(rpc_server *s)
{
	GPtrArray *all = g_ptr_array_new_with_free_func((GDestroyNotify)conn_release);
	g_mutex_lock(&s->mu);
	for (struct hash_walk it = hash_walk(s->conns); hash_walk_next(&it);)
		g_ptr_array_add(all, conn_keep(it.key));
	g_mutex_unlock(&s->mu);
	return all;
}

static void cancel_calls(rpc_conn *c)
{
	g_mutex_lock(&c->mu);
	g_autoptr(GList) calls = c->dead ? NULL : g_hash_table_get_values(c->calls);
	for (GList *l = calls; l; l = l->next)
		call_reset(l->data, g_error_new_literal(error_domain(), ERROR_CANCELED, "the server is stopping"));
	if (!c->dead)
		conn_pump(c);
	g_mutex_unlock(&c->mu);
}

/* until_us 0: without a time limit. */
static void wait_calls(rpc_server *s, gint64 until_us)
{
	g_mutex_lock(&s->mu);
	while (s->open_calls > 0) {
		if (!until_us)
			g_cond_wait(&s->changed, &s->mu);
		else if (!g_cond_wait_until(&s->changed, &s->mu, until_us))
			break;
	}
	g_mutex_unlock(&s->mu);
}

void rpc_server_wait_disconnected(rpc_server *s, int timeout_ms)
{
	gint64 until_us = g_get_monotonic_time() + (gint64)timeout_ms * 1000;
	g_mutex_lock(&s->mu);
	while (g_hash_table_size(s->conns) > 0 && g_cond_wait_until(&s->changed, &s->mu, until_us))
		;
	g_mutex_unlock(&s->mu);
}

void rpc_server_stop(rpc_server *s, int grace_ms)
{
	g_mutex_lock(&s->mu);
	s->stopping = true;
	g_mutex_unlock(&s->mu);
	listeners_close(s);
	g_autoptr(GPtrArray) conns = keep_conns(s);
	for (guint i = 0; i < conns->len; i++)
		conn_drain(conns->pdata[i]);
	wait_calls(s, g_get_monotonic_time() + (gint64)grace_ms * 1000);
	for (guint i = 0; i < conns->len; i++)
		cancel_calls(conns->pdata[i]);
	wait_calls(s, 0);
	for (guint i = 0; i < conns->len; i++)
		rpc_conn_close(conns->pdata[i]);
	g_mutex_lock(&s->mu);
	while (g_hash_table_size(s->conns) > 0)
		g_cond_wait(&s->changed, &s->mu);
	g_mutex_unlock(&s->mu);
}

void rpc_server_free(rpc_server *s)
{
	if (!s)
		return;
	rpc_server_stop(s, 0);
	pool_free(s->handlers);
	pool_free(s->turns);
	rpc_server_set_tracer(s, NULL, NULL);
	rpc_server_set_span(s, NULL);
	g_hash_table_unref(s->methods);
	g_hash_table_unref(s->services);
	reflection_free(s->reflection);
	g_hash_table_unref(s->conns);
	admission_clear(&s->admission);
	g_ptr_array_unref(s->listeners);
	g_hash_table_unref(s->health_watchers);
	g_cond_clear(&s->changed);
	g_mutex_clear(&s->mu);
	g_free(s);
}
