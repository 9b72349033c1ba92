/* SPDX-License-Identifier: Apache-2.0 */
#include "session/live.h"
#include "api/guard.h"
#include "base/ident.h"
#include "health.pb-c.h"
#include <poll.h>

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

static session *session_new(const rpc_metadata *md, GError **error)
{
	const char *id = rpc_metadata_get(md, KEY_ID);
	if (!id || !*id || strlen(id) > ID_BYTES) {
		error_set(error, ERROR_INVALID_ARGUMENT, "session without a usable %s", KEY_ID);
		return NULL;
	}
	const char *key = rpc_metadata_get(md, KEY_SHARED);
	const char *name = rpc_metadata_get(md, KEY_NAME);
	g_auto(GStrv) methods = rpc_metadata_get_all(md, KEY_METHOD);
	session *s = g_new0(session, 1);
	s->refs = 1;
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
	return s->conn;
}

bool session_supports(const session *s, const char *full_method)
{
	g_autofree char *lower = g_ascii_strdown(full_method, -1);
	return g_hash_table_contains(s->methods, lower);
}

cancel *session_closed(session *s)
{
	return rpc_conn_closed(s->conn);
}

/* ---- health */

struct health {
	int every_ms;
	int timeout_ms;
	int failures_allowed;
	int failures;
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

/* False once the client counts as gone. */
static bool health_check(struct health *h, session *s)
{
	Health__HealthCheckRequest request = HEALTH__HEALTH_CHECK_REQUEST__INIT;
	gint64 start = g_get_monotonic_time();
	void *reply = rpc_unary(s->conn, "/grpc.health.v1.Health/Check", NULL, &request,
				&health__health_check_response__descriptor, NULL, h->timeout_ms, NULL);
	gint64 took_ms = (g_get_monotonic_time() - start) / 1000;
	h->failures = reply ? 0 : h->failures + 1;
	guard_free(reply);
	/* A slow link is no dead link: the next one may take longer. */
	if (h->failures_allowed > 1)
		h->timeout_ms = (int)CLAMP(took_ms * 3 / 2, HEALTH_TIMEOUT_MS, HEALTH_TIMEOUT_MAX_MS);
	return h->failures < h->failures_allowed;
}

/* Until the session ends; false when it was health that ended it. A check that took long is followed by the next one. */
static bool watch_session(session *s, struct health *h)
{
	cancel *closed = session_closed(s);
	struct pollfd p = {.fd = cancel_fd(closed), .events = POLLIN};
	int wait_ms = h->every_ms;
	while (!cancel_is_set(closed)) {
		poll(&p, 1, wait_ms);
		gint64 start = g_get_monotonic_time();
		if (!cancel_is_set(closed) && !health_check(h, s))
			return cancel_is_set(closed);
		wait_ms = (int)MAX(h->every_ms - (g_get_monotonic_time() - start) / 1000, 0);
	}
	return true;
}

void session_guard(session_registry *r, const char *id, cancel *c)
{
	struct session_guard guard = {g_strdup(id), c};
	g_mutex_lock(&r->mu);
	g_array_append_val(r->guards, guard);
	g_mutex_unlock(&r->mu);
}

void session_unguard(session_registry *r, cancel *c)
{
	g_mutex_lock(&r->mu);
	for (guint i = r->guards->len; i-- > 0;)
		if (g_array_index(r->guards, struct session_guard, i).c == c)
			g_array_remove_index_fast(r->guards, i);
	g_mutex_unlock(&r->mu);
}

/* Callbacks of a token run where it is set: not under the lock. */
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

static void registry_remove(session_registry *r, session *s)
{
	g_mutex_lock(&r->mu);
	g_hash_table_remove(r->sessions, s->id);
	g_cond_broadcast(&r->changed);
	g_mutex_unlock(&r->mu);
}

bool session_serve(session_registry *r, rpc_call *call, GError **error)
{
	const rpc_metadata *md = rpc_call_metadata(call);
	g_autoptr(session) s = session_new(md, error);
	if (!s)
		return false;
	s->conn = rpc_connect_tunnel(call, error);
	if (!s->conn || !rpc_call_send_headers(call, error) || !registry_add(r, s, error))
		return false;
	struct health health = health_of(md);
	bool left = watch_session(s, &health);
	registry_remove(r, s);
	if (!left)
		guards_fire(r, s->id);
	rpc_conn_close(s->conn);
	return left || error_set(error, ERROR_UNAVAILABLE, "session healthcheck failed fatally");
}

/* ---- finding */

static void on_cancel(void *data)
{
	session_registry *r = data;
	g_mutex_lock(&r->mu);
	g_cond_broadcast(&r->changed);
	g_mutex_unlock(&r->mu);
}

static session *wait_for(session_registry *r, const char *id, gint64 until_us, cancel *c)
{
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
	guint watch = c ? cancel_add(c, on_cancel, r) : 0;
	session *s = wait_for(r, plain, g_get_monotonic_time() + (gint64)timeout_ms * 1000, c);
	if (watch)
		cancel_remove(c, watch);
	if (s)
		return s;
	if (cancel_check(c, error))
		error_set(error, ERROR_DEADLINE_EXCEEDED, "context deadline exceeded");
	g_prefix_error(error, "no active session for %s: ", plain);
	return NULL;
}
