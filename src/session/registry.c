/* SPDX-License-Identifier: Apache-2.0 */
#include "session/live.h"
#include "api/guard.h"
#include "base/ident.h"
#include "health.pb-c.h"

#define KEY_ID "x-docker-expose-session-uuid"
#define KEY_SHARED "x-docker-expose-session-sharedkey"
#define KEY_NAME "x-docker-expose-session-name"
#define KEY_METHOD "x-docker-expose-session-grpc-method"
#define KEY_HEALTH "x-buildkit-session-health-custom-timeout"

#define HEALTH_EVERY_MS 5000
#define HEALTH_TIMEOUT_MS 15000
#define HEALTH_TIMEOUT_MAX_MS 20000 /* a frozen client's build ends within 45 s */
#define HEALTH_FAILURES 2
#define ID_BYTES 256

static void guard_clear(gpointer data)
{
	g_free(((struct session_guard *)data)->id);
}

session_registry *session_registry_new(void)
{
	session_registry *r = g_new0(session_registry, 1);
	g_mutex_init(&r->mu);
	g_cond_init(&r->changed);
	r->sessions = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)session_unref);
	r->guards = g_array_new(FALSE, FALSE, sizeof(struct session_guard));
	g_array_set_clear_func(r->guards, guard_clear);
	random_bytes(r->salt, sizeof(r->salt));
	return r;
}

void session_registry_free(session_registry *r)
{
	if (!r)
		return;
	g_hash_table_unref(r->sessions);
	g_array_unref(r->guards);
	g_cond_clear(&r->changed);
	g_mutex_clear(&r->mu);
	g_free(r);
}

size_t session_registry_count(session_registry *r)
{
	g_mutex_lock(&r->mu);
	size_t n = g_hash_table_size(r->sessions);
	g_mutex_unlock(&r->mu);
	return n;
}

/* ---- a session */

static session *session_new(rpc_call *call, GError **error)
{
	const rpc_metadata *md = rpc_call_metadata(call);
	const char *id = rpc_metadata_get(md, KEY_ID);
	if (!id || !*id || strlen(id) > ID_BYTES)
		return error_null(error, ERROR_INVALID_ARGUMENT, "session without a valid %s", KEY_ID);
	const char *key = rpc_metadata_get(md, KEY_SHARED);
	const char *name = rpc_metadata_get(md, KEY_NAME);
	g_auto(GStrv) methods = rpc_metadata_get_all(md, KEY_METHOD);
	session *s = g_new0(session, 1);
	s->refs = 1;
	s->call = rpc_call_ref(call);
	s->closed = cancel_new(NULL);
	s->serving = true;
	g_mutex_init(&s->mu);
	s->id = g_strdup(id);
	s->shared_key = g_strdup(key ? key : "");
	s->name = g_strdup(name ? name : "");
	s->methods = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	for (size_t i = 0; methods[i]; i++)
		g_hash_table_add(s->methods, g_ascii_strdown(methods[i], -1));
	return s;
}

session *session_ref(session *s)
{
	g_atomic_int_inc(&s->refs);
	return s;
}

void session_unref(session *s)
{
	if (!s || !g_atomic_int_dec_and_test(&s->refs))
		return;
	rpc_conn_unref(s->conn);
	rpc_call_unref(s->call);
	cancel_unref(s->closed);
	g_mutex_clear(&s->mu);
	g_hash_table_unref(s->methods);
	g_free(s->id);
	g_free(s->shared_key);
	g_free(s->name);
	g_free(s);
}

const char *session_id(const session *s)
{
	return s->id;
}

const char *session_shared_key(const session *s)
{
	return s->shared_key;
}

rpc_conn *session_conn(session *s)
{
	g_mutex_lock(&s->mu);
	if (!s->conn) {
		/* If the tunnel has ended, the result is a connection on which every call fails. */
		s->conn = rpc_connect_tunnel(s->call, NULL);
		if (s->conn)
			rpc_conn_trace(s->conn, "localhost");
		if (s->serving)
			rpc_call_kick(s->call); /* starts health checks */
	}
	rpc_conn *conn = s->conn;
	g_mutex_unlock(&s->mu);
	return conn;
}

bool session_supports(const session *s, const char *full_method)
{
	g_autofree char *lower = g_ascii_strdown(full_method, -1);
	return g_hash_table_contains(s->methods, lower);
}

cancel *session_closed(session *s)
{
	return s->closed;
}

/* ---- health */

struct health {
	int every_ms;
	int timeout_ms;
	int failures_allowed;
	int failures;
	gint64 next_us;  /* time of the next check; 0: none yet */
	gint64 begun_us; /* start of the running check */
	rpc_call *check; /* owned: the running check, or NULL */
};

static struct health health_of(const rpc_metadata *md)
{
	struct health h = {HEALTH_EVERY_MS, HEALTH_TIMEOUT_MS, HEALTH_FAILURES, 0};
	const char *custom = rpc_metadata_get(md, KEY_HEALTH);
	guint64 ms;
	if (custom && g_ascii_string_to_unsigned(custom, 10, 1, 24 * 3600 * 1000, &ms, NULL)) {
		h.every_ms = h.timeout_ms = (int)MAX(ms, 1000);
		h.failures_allowed = 1;
	}
	return h;
}

/* State of a Session call between its turns. */
struct serving {
	session *session; /* ref */
	guint on_closed;  /* of the connection's token; 0: not watched */
	struct health health;
};

static void kick(void *data)
{
	rpc_call_kick(data);
}

static void health_begin(struct serving *v, gint64 now)
{
	Health__HealthCheckRequest request = HEALTH__HEALTH_CHECK_REQUEST__INIT;
	struct health *h = &v->health;
	h->begun_us = now;
	h->check = rpc_unary_begin(v->session->conn, "/grpc.health.v1.Health/Check", &request, h->timeout_ms, kick,
				   v->session->call, NULL);
	h->failures += !h->check;
}

static void health_end(struct serving *v, gint64 now)
{
	struct health *h = &v->health;
	bool ok = rpc_unary_end(h->check, NULL);
	gint64 took_ms = (now - h->begun_us) / 1000;
	g_clear_pointer(&h->check, rpc_call_unref);
	h->failures = ok ? 0 : h->failures + 1;
	/* A slow link is not a broken link: the next check may take longer. */
	if (h->failures_allowed > 1)
		h->timeout_ms = (int)CLAMP(took_ms * 3 / 2, HEALTH_TIMEOUT_MS, HEALTH_TIMEOUT_MAX_MS);
}

/*
 * Returns false once the client counts as disconnected. A check that took long is followed by another one immediately.
 */
static bool health_turn(struct serving *v)
{
	struct health *h = &v->health;
	gint64 now = g_get_monotonic_time();
	if (!h->next_us)
		h->next_us = now + h->every_ms * 1000LL;
	if (h->check) {
		if (!rpc_unary_has_ended(h->check))
			return true;
		health_end(v, now);
	}
	if (h->failures < h->failures_allowed && now >= h->next_us) {
		health_begin(v, now);
		h->next_us = now + h->every_ms * 1000LL;
	}
	if (!h->check)
		rpc_call_kick_at(v->session->call, MAX(h->next_us, now + 1000));
	return h->failures < h->failures_allowed;
}

void session_guard(session_registry *r, const char *id, cancel *c)
{
	struct session_guard guard = {g_strdup(id), c};
	g_mutex_lock(&r->mu);
	g_array_append_val(r->guards, guard);
	session *s = g_hash_table_lookup(r->sessions, id);
	if (s)
		session_ref(s);
	g_mutex_unlock(&r->mu);
	if (s)
		session_conn(s); /* starts health checks for it */
	session_unref(s);
}

void session_unguard(session_registry *r, cancel *c)
{
	g_mutex_lock(&r->mu);
	for (guint i = r->guards->len; i-- > 0;)
		if (g_array_index(r->guards, struct session_guard, i).c == c)
			g_array_remove_index_fast(r->guards, i);
	g_mutex_unlock(&r->mu);
}

/* Callbacks of a token run on the setting thread, so set it without the lock. */
static void guards_fire(session_registry *r, const char *id)
{
	g_autoptr(GPtrArray) tokens = g_ptr_array_new_with_free_func((GDestroyNotify)cancel_unref);
	g_mutex_lock(&r->mu);
	for (guint i = 0; i < r->guards->len; i++)
		if (g_str_equal(g_array_index(r->guards, struct session_guard, i).id, id))
			g_ptr_array_add(tokens, cancel_ref(g_array_index(r->guards, struct session_guard, i).c));
	g_mutex_unlock(&r->mu);
	for (guint i = 0; i < tokens->len; i++)
		cancel_set(tokens->pdata[i], ERROR_UNAVAILABLE, "session healthcheck failed fatally");
}

/* ---- serving */

static bool registry_add(session_registry *r, session *s, GError **error)
{
	g_mutex_lock(&r->mu);
	bool fresh = !g_hash_table_contains(r->sessions, s->id);
	if (fresh)
		g_hash_table_insert(r->sessions, s->id, session_ref(s));
	g_cond_broadcast(&r->changed);
	g_mutex_unlock(&r->mu);
	return fresh || error_set(error, ERROR_ALREADY_EXISTS, "session %s already exists", s->id);
}

static bool is_guarded(session_registry *r, const char *id)
{
	bool found = false;
	g_mutex_lock(&r->mu);
	for (guint i = 0; !found && i < r->guards->len; i++)
		found = g_str_equal(g_array_index(r->guards, struct session_guard, i).id, id);
	g_mutex_unlock(&r->mu);
	return found;
}

static struct serving *serving_new(session_registry *r, rpc_call *call, GError **error)
{
	g_autoptr(session) s = session_new(call, error);
	if (!s || !rpc_call_send_headers(call, error) || !rpc_tunnel_greet(call, error) || !registry_add(r, s, error))
		return NULL;
	struct serving *v = g_new0(struct serving, 1);
	v->session = session_ref(s);
	v->health = health_of(rpc_call_metadata(call));
	if (is_guarded(r, s->id))
		session_conn(s);
	return v;
}

enum rpc_turn session_turn(session_registry *r, rpc_call *call, void **state, GError **error)
{
	struct serving *v = *state;
	if (!v && !(*state = v = serving_new(r, call, error)))
		return RPC_TURN_FAILED;
	g_mutex_lock(&v->session->mu);
	rpc_conn *conn = v->session->conn;
	g_mutex_unlock(&v->session->mu);
	if (!conn)
		return RPC_TURN_WAIT;
	if (!v->on_closed)
		v->on_closed = cancel_add(rpc_conn_closed(conn), kick, call);
	if (cancel_is_set(rpc_conn_closed(conn)))
		return RPC_TURN_OK;
	if (health_turn(v))
		return RPC_TURN_WAIT;
	guards_fire(r, v->session->id);
	error_set(error, ERROR_UNAVAILABLE, "session healthcheck failed fatally");
	return RPC_TURN_FAILED;
}

void session_turn_free(session_registry *r, void *state)
{
	struct serving *v = state;
	session *s = v->session;
	g_mutex_lock(&r->mu);
	g_hash_table_remove(r->sessions, s->id);
	g_cond_broadcast(&r->changed);
	g_mutex_unlock(&r->mu);
	g_mutex_lock(&s->mu);
	s->serving = false;
	rpc_conn *conn = s->conn ? rpc_conn_ref(s->conn) : NULL;
	g_mutex_unlock(&s->mu);
	if (v->health.check)
		rpc_unary_end(v->health.check, NULL);
	rpc_call_unref(v->health.check);
	if (conn) {
		if (v->on_closed)
			cancel_remove(rpc_conn_closed(conn), v->on_closed);
		rpc_conn_close(conn);
		rpc_conn_unref(conn);
	}
	cancel_set(s->closed, ERROR_UNAVAILABLE, "the session is closed");
	session_unref(s);
	g_free(v);
}

/* ---- lookup */

static session *wait_for(session_registry *r, const char *id, gint64 until_us, cancel *c)
{
	g_auto(cancel_watch) watch = {0};
	cancel_watch_start(&watch, c, &r->mu, &r->changed);
	g_mutex_lock(&r->mu);
	session *s = g_hash_table_lookup(r->sessions, id);
	while (!s && !cancel_is_set(c) && g_cond_wait_until(&r->changed, &r->mu, until_us))
		s = g_hash_table_lookup(r->sessions, id);
	if (!s)
		s = g_hash_table_lookup(r->sessions, id);
	if (s)
		session_ref(s);
	g_mutex_unlock(&r->mu);
	return s;
}

session *session_find(session_registry *r, const char *id, int timeout_ms, cancel *c, GError **error)
{
	const char *colon = strchr(id, ':');
	const char *plain = colon ? colon + 1 : id;
	session *s = wait_for(r, plain, g_get_monotonic_time() + (gint64)timeout_ms * 1000, c);
	if (s)
		return s;
	if (cancel_check(c, error))
		error_set(error, ERROR_DEADLINE_EXCEEDED, "context deadline exceeded");
	return error_prefix_null(error, "no active session for %s: ", plain);
}
