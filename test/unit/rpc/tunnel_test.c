/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/rpc_rig.h"

/* The daemon side: a client inside the call, as in Control.Session. */
struct daemon {
	GMutex mu;
	GCond cond;
	rpc_conn *inner; /* set while a session exists */
};

static bool session_method(rpc_call *call, void *data, GError **error)
{
	struct daemon *d = data;
	g_autoptr(rpc_conn) inner = rpc_connect_tunnel(call, error);
	if (!inner)
		return false;
	g_mutex_lock(&d->mu);
	d->inner = inner;
	g_cond_broadcast(&d->cond);
	g_mutex_unlock(&d->mu);
	cancel_poll(rpc_conn_closed(inner), NULL, 0, -1, NULL);
	g_mutex_lock(&d->mu);
	d->inner = NULL;
	g_cond_broadcast(&d->cond);
	g_mutex_unlock(&d->mu);
	return true;
}

struct client {
	struct rig *rig;
	rpc_server *server;
	rpc_call *call;
	GThread *thread;
	bool ok;
	struct event hangs;
};

static gpointer client_main(gpointer data)
{
	struct client *c = data;
	g_autoptr(GError) error = NULL;
	c->ok = rpc_server_serve_tunnel(c->server, c->call, &error);
	return NULL;
}

static struct daemon the_daemon;
static const struct rpc_method session_methods[] = {{"/test.Rig/Session", .stream = session_method}};

static rpc_conn *tunnel_up(struct rig *r, struct client *c)
{
	g_autoptr(GError) error = NULL;
	rig_up(r);
	rpc_server_add(r->server, session_methods, 1, &the_daemon);
	c->rig = r;
	c->server = rpc_server_new(r->loop);
	rig_add_methods(c->server, &c->hangs);
	c->call = rpc_call_start(r->conn, "/test.Rig/Session", NULL, NULL, 0, &error);
	g_assert_no_error(error);
	c->thread = g_thread_new("client", client_main, c);
	g_mutex_lock(&the_daemon.mu);
	while (!the_daemon.inner)
		g_cond_wait(&the_daemon.cond, &the_daemon.mu);
	rpc_conn *inner = rpc_conn_ref(the_daemon.inner);
	g_mutex_unlock(&the_daemon.mu);
	return inner;
}

static void tunnel_down(struct client *c)
{
	rpc_call_abort(c->call);
	g_thread_join(c->thread);
	rpc_call_unref(c->call);
	rpc_server_free(c->server);
	g_mutex_lock(&the_daemon.mu);
	while (the_daemon.inner)
		g_cond_wait(&the_daemon.cond, &the_daemon.mu);
	g_mutex_unlock(&the_daemon.mu);
}

static void test_unary(void)
{
	scoped_rig r = {0};
	struct client c = {0};
	g_autoptr(rpc_conn) inner = tunnel_up(&r, &c);
	for (int i = 0; i < 50; i++) {
		g_autoptr(GError) error = NULL;
		g_autoptr(bytes_message) reply = rig_unary(inner, "/test.Rig/Echo", "inner", 5, &error);
		g_assert_no_error(error);
		g_assert_cmpmem(reply->data.data, reply->data.len, "inner", 5);
	}
	g_autoptr(GError) error = NULL;
	g_assert_null(rig_unary(inner, "/test.Rig/Fail", NULL, 0, &error));
	g_assert_true(error_has_detail(error, "errdefs.Vertex"));
	tunnel_down(&c);
}

/* ---- concurrent transfers */

struct worker {
	rpc_conn *inner;
	guint64 bytes;
	bool upload;
};

static void transfer(struct worker *w)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(rpc_call) call =
		rpc_call_start(w->inner, w->upload ? "/test.Rig/Sink" : "/test.Rig/Source", NULL, NULL, 0, &error);
	g_assert_no_error(error);
	static const uint8_t zeros[65536];
	if (!w->upload)
		g_assert_true(rpc_call_send(call, &w->bytes, sizeof(w->bytes), &error));
	for (guint64 left = w->upload ? w->bytes : 0; left > 0; left -= MIN(left, sizeof(zeros)))
		g_assert_true(rpc_call_send(call, zeros, MIN(left, sizeof(zeros)), &error));
	g_assert_true(rpc_call_close_send(call, &error));
	guint64 total = 0;
	for (GBytes *b = rpc_call_recv(call, &error); b; b = rpc_call_recv(call, &error)) {
		if (w->upload)
			memcpy(&total, g_bytes_get_data(b, NULL), sizeof(total));
		else
			total += g_bytes_get_size(b);
		g_bytes_unref(b);
	}
	g_assert_no_error(error);
	g_assert_cmpuint(total, ==, w->bytes);
	g_assert_true(rpc_call_finish(call, &error));
}

static gpointer worker_main(gpointer data)
{
	transfer(data);
	return NULL;
}

static void run_workers(rpc_conn *inner, int n, guint64 bytes)
{
	g_autofree struct worker *workers = g_new0(struct worker, n);
	g_autofree GThread **threads = g_new0(GThread *, n);
	for (int i = 0; i < n; i++) {
		workers[i] = (struct worker){inner, bytes + (guint64)i, i % 2};
		threads[i] = g_thread_new("worker", worker_main, &workers[i]);
	}
	for (int i = 0; i < n; i++)
		g_thread_join(threads[i]);
}

static void test_many(void)
{
	scoped_rig r = {0};
	struct client c = {0};
	g_autoptr(rpc_conn) inner = tunnel_up(&r, &c);
	run_workers(inner, 200, 300000);
	tunnel_down(&c);
}

static void test_large_both_ways(void)
{
	scoped_rig r = {0};
	struct client c = {0};
	g_autoptr(rpc_conn) inner = tunnel_up(&r, &c);
	gint64 start = g_get_monotonic_time();
	guint64 bytes = g_test_perf() ? (guint64)MIB(500) : (guint64)MIB(40);
	run_workers(inner, 4, bytes);
	g_test_message("%.0f MB/s", 4 * (double)bytes / (double)(g_get_monotonic_time() - start));
	tunnel_down(&c);
}

/* A reader that never reads blocks only its own call. */
static void test_stuck_reader(void)
{
	scoped_rig r = {0};
	struct client c = {0};
	g_autoptr(rpc_conn) inner = tunnel_up(&r, &c);
	g_autoptr(GError) error = NULL;
	rpc_call *stuck[40];
	guint64 want = (guint64)MIB(100);
	for (size_t i = 0; i < G_N_ELEMENTS(stuck); i++) {
		stuck[i] = rpc_call_start(inner, "/test.Rig/Source", NULL, NULL, 0, &error);
		g_assert_true(rpc_call_send(stuck[i], &want, sizeof(want), &error));
	}
	run_workers(inner, 8, 2000000);
	for (size_t i = 0; i < G_N_ELEMENTS(stuck); i++)
		rpc_call_unref(stuck[i]);
	tunnel_down(&c);
}

static void test_outer_dies(void)
{
	scoped_rig r = {0};
	struct client c = {0};
	g_autoptr(rpc_conn) inner = tunnel_up(&r, &c);
	g_autoptr(GError) error = NULL;
	g_autoptr(rpc_call) call = rpc_call_start(inner, "/test.Rig/Hang", NULL, NULL, 0, &error);
	rpc_call_metadata(call);
	rpc_conn_close(r.conn);
	g_assert_false(rpc_call_finish(call, &error));
	g_assert_true(error_is(error, ERROR_UNAVAILABLE));
	tunnel_down(&c);
	g_assert_true(cancel_is_set(rpc_conn_closed(inner)));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/tunnel/unary", test_unary);
	g_test_add_func("/tunnel/many", test_many);
	g_test_add_func("/tunnel/large-both-ways", test_large_both_ways);
	g_test_add_func("/tunnel/stuck-reader", test_stuck_reader);
	g_test_add_func("/tunnel/outer-dies", test_outer_dies);
	return g_test_run();
}
