/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/rpc_rig.h"
#include "api/message.h"
#include "base/thread.h"
#include "health.pb-c.h"
#include "rpc/metadata.h"
#include <sys/un.h>

static void test_unary(void)
{
	scoped_rig r = {0};
	rig_up(&r);
	for (int i = 0; i < 100; i++) {
		g_autoptr(GError) error = NULL;
		g_autoptr(bytes_message) reply = rig_unary(r.conn, "/test.Rig/Echo", "hello", 5, &error);
		g_assert_no_error(error);
		g_assert_cmpmem(reply->data.data, reply->data.len, "hello", 5);
	}
	g_autoptr(GError) error = NULL;
	g_autoptr(bytes_message) empty = rig_unary(r.conn, "/test.Rig/Echo", NULL, 0, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(empty->data.len, ==, 0);
}

static void test_errors_with_details(void)
{
	scoped_rig r = {0};
	rig_up(&r);
	g_autoptr(GError) error = NULL;
	g_assert_null(rig_unary(r.conn, "/test.Rig/Fail", NULL, 0, &error));
	g_assert_true(error_is(error, ERROR_NOT_FOUND));
	g_assert_cmpstr(error->message, ==, "no such job 100% \xc3\xa4\n");
	const GPtrArray *details = error_get_details(error);
	g_assert_cmpuint(details->len, ==, 2);
	const struct error_detail *first = details->pdata[0];
	g_assert_cmpstr(first->type, ==, "errdefs.Vertex");
	g_assert_cmpstr(first->json, ==, "{\"digest\":\"sha256:abc\"}");
}

/* An error may be passed on with details of a peer that have no value. */
static void test_empty_detail(void)
{
	g_autoptr(GError) error = NULL;
	error_set(&error, ERROR_NOT_FOUND, "gone");
	error_add_detail(error, "errdefs.Vertex", "");
	for (int i = 0; i < 2; i++) {
		g_autoptr(GBytes) packed = rpc_status_pack(error);
		gsize n;
		const uint8_t *bytes = g_bytes_get_data(packed, &n);
		g_clear_error(&error);
		error = rpc_status_unpack(bytes, n);
		g_assert_cmpstr(error->message, ==, "gone");
		g_assert_cmpuint(error_get_details(error)->len, ==, 1);
		const struct error_detail *detail = error_get_details(error)->pdata[0];
		g_assert_cmpstr(detail->type, ==, "errdefs.Vertex");
		g_assert_cmpstr(detail->json, ==, "");
	}
}

/* A header field is limited to 64 KiB: a longer text is truncated, and the connection is kept. */
/* A space at either end of a message must not fail the stream. */
static void test_error_edges(void)
{
	g_autofree char *encoded = percent_encode(" a b ");
	g_assert_cmpstr(encoded, ==, "%20a b%20");
	g_autofree char *one = percent_encode(" ");
	g_assert_cmpstr(one, ==, "%20");
	g_autofree char *back = percent_decode(encoded, strlen(encoded));
	g_assert_cmpstr(back, ==, " a b ");
}

/* The beginning and the end of the text that rpc_rig fails with. */
static void assert_shortened(const char *text)
{
	const char *omission = strstr(text, " ... ");
	g_assert_cmpuint(strlen(text), >, 2000);
	g_assert_cmpuint(strlen(text), <, 50000);
	g_assert_true(g_str_has_prefix(text, "\xc3\xa4\xc3\xa4"));
	g_assert_true(g_str_has_suffix(text, "\xc3\xa4\xc3\xa4: the reason"));
	g_assert_nonnull(omission);
	g_assert_cmpint(ABS((omission - text) - (ptrdiff_t)strlen(omission)), <, 16);
}

static void test_huge_errors(void)
{
	scoped_rig r = {0};
	rig_up(&r);
	g_autoptr(GError) error = NULL;
	g_assert_null(rig_unary(r.conn, "/test.Rig/FailHuge", NULL, 0, &error));
	g_assert_true(error_is(error, ERROR_UNKNOWN));
	assert_shortened(error->message);
	g_assert_true(error_has_detail(error, "errdefs.Vertex"));
	g_assert_false(error_has_detail(error, "errdefs.Source"));
	g_clear_error(&error);
	g_assert_null(rig_unary(r.conn, "/test.Rig/FailLong", NULL, 0, &error));
	g_assert_true(error_is(error, ERROR_UNKNOWN));
	assert_shortened(error->message);
	g_clear_error(&error);
	g_autofree char *value = g_strnfill(100000, 'x');
	g_autoptr(rpc_metadata) md = rpc_metadata_new();
	rpc_metadata_add(md, "x-huge", value);
	g_assert_null(rpc_call_start(r.conn, "/test.Rig/Echo", md, NULL, 0, &error));
	g_assert_true(error_is(error, ERROR_RESOURCE_EXHAUSTED));
	g_clear_error(&error);
	g_autoptr(bytes_message) reply = rig_unary(r.conn, "/test.Rig/Echo", "x", 1, &error);
	g_assert_no_error(error);
}

static void test_unknown(void)
{
	static const struct {
		const char *path;
		const char *text;
	} cases[] = {
		{"/test.Rig/Nope", "unknown method Nope for service test.Rig"},
		{"/a.b.C/D", "unknown service a.b.C"},
		{"/x", "malformed method name: \"/x\""},
	};
	scoped_rig r = {0};
	rig_up(&r);
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		g_assert_null(rig_unary(r.conn, cases[i].path, "abc", 3, &error));
		g_assert_true(error_is(error, ERROR_UNIMPLEMENTED));
		g_assert_cmpstr(error->message, ==, cases[i].text);
	}
}

static void test_metadata(void)
{
	scoped_rig r = {0};
	rig_up(&r);
	g_autoptr(GError) error = NULL;
	g_autoptr(rpc_metadata) md = rpc_metadata_new();
	rpc_metadata_add(md, "X-Echo-Header", "v 1");
	rpc_metadata_add(md, "x-some-bin", "\x01\xff");
	g_autoptr(rpc_call) call = rpc_call_start(r.conn, "/test.Rig/Echo", md, NULL, 0, &error);
	bytes_message request = FILESYNC__BYTES_MESSAGE__INIT;
	g_assert_true(rpc_call_send_message(call, &request, &error));
	g_assert_true(rpc_call_close_send(call, &error));
	g_assert_cmpstr(rpc_metadata_get(rpc_call_metadata(call), "x-echoed"), ==, "v 1");
	g_assert_true(rpc_call_finish(call, &error));
	rpc_metadata_add(md, "x-where", "caf\xc3\xa9");
	g_assert_null(rpc_call_start(r.conn, "/test.Rig/Echo", md, NULL, 0, &error));
	g_assert_cmpstr(error->message, ==,
			"header key \"x-where\" contains value with non-printable ASCII characters");
}

static void test_streams(void)
{
	scoped_rig r = {0};
	rig_up(&r);
	g_autoptr(GError) error = NULL;
	g_autoptr(rpc_call) call = rpc_call_start(r.conn, "/test.Rig/EchoStream", NULL, NULL, 0, &error);
	g_assert_no_error(error);
	for (size_t n = 0; n < 3000000; n = n * 3 + 1) {
		g_autofree uint8_t *data = g_malloc0(n + 1);
		memset(data, (int)n, n);
		g_assert_true(rpc_call_send_parts(call, data, n / 2, data + n / 2, n - n / 2, &error));
		g_autoptr(GBytes) back = rpc_call_recv(call, &error);
		g_assert_no_error(error);
		g_assert_cmpmem(g_bytes_get_data(back, NULL), g_bytes_get_size(back), data, n);
	}
	g_assert_true(rpc_call_close_send(call, &error));
	g_assert_null(rpc_call_recv(call, &error));
	g_assert_no_error(error);
	g_assert_true(rpc_call_finish(call, &error));
}

/* Empty messages have no bytes, so that their address may be NULL. */
static void test_many(void)
{
	static const uint32_t sizes[] = {0, 3, 0, 2, 0}, empty[] = {0, 0};
	static const char *const want[] = {"", "abc", "", "de", "", "", ""};
	scoped_rig r = {0};
	rig_up(&r);
	g_autoptr(GError) error = NULL;
	g_autoptr(rpc_call) call = rpc_call_start(r.conn, "/test.Rig/EchoStream", NULL, NULL, 0, &error);
	g_assert_no_error(error);
	g_assert_true(rpc_call_send_many(call, "abcde", sizes, G_N_ELEMENTS(sizes), &error));
	g_assert_true(rpc_call_send_many(call, NULL, empty, G_N_ELEMENTS(empty), &error));
	for (size_t i = 0; i < G_N_ELEMENTS(want); i++) {
		g_autoptr(GBytes) back = rpc_call_recv(call, &error);
		g_assert_no_error(error);
		g_assert_cmpmem(g_bytes_get_data(back, NULL), g_bytes_get_size(back), want[i], strlen(want[i]));
	}
	g_assert_true(rpc_call_close_send(call, &error));
	g_assert_null(rpc_call_recv(call, &error));
	g_assert_no_error(error);
	g_assert_true(rpc_call_finish(call, &error));
}

static void test_slow_reader(void)
{
	scoped_rig r = {0};
	rig_up(&r);
	g_autoptr(GError) error = NULL;
	g_autoptr(rpc_call) call = rpc_call_start(r.conn, "/test.Rig/Source", NULL, NULL, 0, &error);
	guint64 left = MIB(100);
	g_assert_true(rpc_call_send(call, &left, sizeof(left), &error));
	for (int i = 0; left > 0; i++) {
		if (i < 20)
			/* The slowness of the reader is what is tested: time itself. */
			g_usleep(10000);
		g_autoptr(GBytes) bytes = rpc_call_recv(call, &error);
		g_assert_no_error(error);
		left -= g_bytes_get_size(bytes);
	}
	g_assert_true(rpc_call_finish(call, &error));
}

static void test_throughput(void)
{
	scoped_rig r = {0};
	rig_up(&r);
	g_autoptr(GError) error = NULL;
	g_autoptr(rpc_call) call = rpc_call_start(r.conn, "/test.Rig/Sink", NULL, NULL, 0, &error);
	g_autofree uint8_t *data = g_malloc0((gsize)MIB(1));
	gint64 start = g_get_monotonic_time();
	int n = g_test_perf() ? 2000 : 100;
	for (int i = 0; i < n; i++)
		g_assert_true(rpc_call_send(call, data, (size_t)MIB(1), &error));
	g_assert_true(rpc_call_close_send(call, &error));
	g_autoptr(GBytes) back = rpc_call_recv(call, &error);
	g_assert_no_error(error);
	guint64 total;
	memcpy(&total, g_bytes_get_data(back, NULL), sizeof(total));
	g_assert_cmpuint(total, ==, MIB(1) * (guint64)n);
	g_test_message("%.0f MB/s", (double)total / (double)(g_get_monotonic_time() - start));
	g_assert_true(rpc_call_finish(call, &error));
}

static void test_cancel(void)
{
	scoped_rig r = {0};
	rig_up(&r);
	g_autoptr(GError) error = NULL;
	g_autoptr(cancel) c = cancel_new(NULL);
	rpc_call *by_token = rpc_call_start(r.conn, "/test.Rig/Hang", NULL, c, 0, &error);
	rpc_call_metadata(by_token);
	cancel_set(c, ERROR_CANCELED, "because");
	g_assert_null(rpc_call_recv(by_token, &error));
	g_assert_true(error_is(error, ERROR_CANCELED));
	g_assert_cmpstr(error->message, ==, "because");
	rpc_call_unref(by_token);
	event_wait(&r.hangs, 1);
	g_clear_error(&error);

	rpc_call *dropped = rpc_call_start(r.conn, "/test.Rig/Hang", NULL, NULL, 0, &error);
	rpc_call_metadata(dropped);
	rpc_call_unref(dropped);
	event_wait(&r.hangs, 2);

	rpc_call *aborted = rpc_call_start(r.conn, "/test.Rig/Hang", NULL, NULL, 0, &error);
	rpc_call_metadata(aborted);
	rpc_call_abort(aborted);
	g_assert_false(rpc_call_finish(aborted, &error));
	g_assert_true(error_is(error, ERROR_CANCELED));
	g_assert_true(cancel_is_set(rpc_call_cancel(aborted)));
	rpc_call_unref(aborted);
	event_wait(&r.hangs, 3);
}

static void test_deadline(void)
{
	scoped_rig r = {0};
	rig_up(&r);
	g_autoptr(GError) error = NULL;
	g_autoptr(rpc_call) call = rpc_call_start(r.conn, "/test.Rig/Hang", NULL, NULL, 50, &error);
	g_assert_null(rpc_call_recv(call, &error));
	g_assert_true(error_is(error, ERROR_DEADLINE_EXCEEDED));
	g_assert_cmpstr(error->message, ==, "context deadline exceeded");
	event_wait(&r.hangs, 1);
}

static void test_message_limit(void)
{
	scoped_rig r = {0};
	rig_up(&r);
	g_autoptr(GError) error = NULL;
	size_t n = (size_t)LIMIT_MESSAGE_BYTES;
	g_autofree uint8_t *data = g_malloc0(n + 1);
	g_autoptr(rpc_call) call = rpc_call_start(r.conn, "/test.Rig/EchoStream", NULL, NULL, 0, &error);
	g_assert_true(rpc_call_send(call, data, n, &error));
	g_autoptr(GBytes) back = rpc_call_recv(call, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(g_bytes_get_size(back), ==, n);
	g_assert_false(rpc_call_send(call, data, n + 1, &error));
	g_assert_true(error_is(error, ERROR_RESOURCE_EXHAUSTED));
}

static void test_server_stop(void)
{
	scoped_rig r = {0};
	rig_up(&r);
	g_autoptr(GError) error = NULL;
	g_autoptr(rpc_call) call = rpc_call_start(r.conn, "/test.Rig/Hang", NULL, NULL, 0, &error);
	rpc_call_metadata(call);
	rpc_server_stop(r.server, 20);
	g_assert_cmpuint(event_count(&r.hangs), ==, 1);
	g_assert_cmpuint(rpc_server_open_calls(r.server), ==, 0);
	g_assert_false(rpc_call_finish(call, &error));
	g_clear_error(&error);
	g_assert_null(rig_unary(r.conn, "/test.Rig/Echo", NULL, 0, &error));
	g_assert_true(error_is(error, ERROR_UNAVAILABLE));
}

/* A peer that stops reading: writes fail before the end of input can be detected. */
static void test_write_error(void)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *dir = g_dir_make_tmp("rpc-XXXXXX", NULL);
	g_autofree char *path = g_build_filename(dir, "x.sock", NULL);
	g_autofree char *address = g_strconcat("unix://", path, NULL);
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	g_strlcpy(name.sun_path, path, sizeof name.sun_path);
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	g_assert_cmpint(bind(listener, (struct sockaddr *)&name, sizeof name), ==, 0);
	g_assert_cmpint(listen(listener, 1), ==, 0);
	rpc_loop *loop = rpc_loop_new(NULL);
	rpc_conn *conn = rpc_connect(loop, address, NULL, NULL, &error);
	g_assert_no_error(error);
	int peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	g_assert_cmpint(shutdown(peer, SHUT_RD), ==, 0);
	g_autofree char *much = g_strnfill(1 << 20, 'x');
	g_assert_null(rig_unary(conn, "/test.Rig/Echo", much, 1 << 20, &error));
	g_assert_true(error_is(error, ERROR_UNAVAILABLE));
	g_assert_cmpstr(error->message, ==, "error writing to server: write: broken pipe");
	rpc_conn_unref(conn);
	rpc_loop_free(loop);
	close(peer);
	close(listener);
	g_unlink(path);
	g_rmdir(dir);
}

/* ---- threads */

/* Streams that only wait use no thread each. */
static void test_idle_streams(void)
{
	enum { N = 300 };
	scoped_rig r = {0};
	g_autoptr(GError) error = NULL;
	rig_up(&r);
	rpc_call *all[N];
	unsigned before = thread_count();
	for (size_t i = 0; i < N; i++) {
		all[i] = rpc_call_start(r.conn, "/grpc.health.v1.Health/Watch", NULL, NULL, 0, &error);
		g_assert_no_error(error);
		g_assert_true(rpc_call_send(all[i], "", 0, &error));
		g_autoptr(GBytes) told = rpc_call_recv(all[i], &error);
		g_assert_no_error(error);
		g_assert_nonnull(told);
	}
	g_assert_cmpuint(thread_count(), <=, before + 8);
	g_assert_cmpuint(rpc_server_open_calls(r.server), ==, N);
	for (size_t i = 0; i < N; i++) {
		rpc_call_abort(all[i]);
		rpc_call_unref(all[i]);
	}
}

static Health__HealthCheckResponse__ServingStatus next_status(rpc_call *watch)
{
	g_autoptr(GError) error = NULL;
	Health__HealthCheckResponse *reply =
		rpc_call_recv_message(watch, &health__health_check_response__descriptor, &error);
	g_assert_no_error(error);
	Health__HealthCheckResponse__ServingStatus status = reply->status;
	guard_free(&reply->base);
	return status;
}

/* Watch sends each change of the state; other requests are served in either state. */
static void test_serving(void)
{
	scoped_rig r = {0};
	g_autoptr(GError) error = NULL;
	rig_up(&r);
	g_autoptr(rpc_call) watch = rpc_call_start(r.conn, "/grpc.health.v1.Health/Watch", NULL, NULL, 0, &error);
	g_assert_no_error(error);
	g_autoptr(rpc_call) unknown = rpc_call_start(r.conn, "/grpc.health.v1.Health/Watch", NULL, NULL, 0, &error);
	Health__HealthCheckRequest request = HEALTH__HEALTH_CHECK_REQUEST__INIT;
	g_assert_true(rpc_call_send_message(watch, &request, &error));
	request.service = (char *)"test.Nothing";
	g_assert_true(rpc_call_send_message(unknown, &request, &error));
	g_assert_cmpint(next_status(watch), ==, HEALTH__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING);
	g_assert_cmpint(next_status(unknown), ==, HEALTH__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN);
	g_assert_true(rpc_server_is_serving(r.server));
	rpc_server_set_serving(r.server, false);
	g_assert_false(rpc_server_is_serving(r.server));
	g_assert_cmpint(next_status(watch), ==, HEALTH__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING);
	request.service = (char *)"";
	Health__HealthCheckResponse *reply = rpc_unary(r.conn, "/grpc.health.v1.Health/Check", NULL, &request,
						       &health__health_check_response__descriptor, NULL, 0, &error);
	g_assert_no_error(error);
	g_assert_cmpint(reply->status, ==, HEALTH__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING);
	guard_free(&reply->base);
	g_autoptr(bytes_message) echo = rig_unary(r.conn, "/test.Rig/Echo", "x", 1, &error);
	g_assert_no_error(error);
	rpc_server_set_serving(r.server, true);
	g_assert_cmpint(next_status(watch), ==, HEALTH__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING);
	rpc_call_abort(watch);
	rpc_call_abort(unknown);
}

static void test_wait_disconnected(void)
{
	scoped_rig r = {0};
	rig_up(&r);
	g_autoptr(GError) error = NULL;
	g_autoptr(bytes_message) reply = rig_unary(r.conn, "/test.Rig/Echo", "x", 1, &error);
	g_assert_no_error(error);
	rpc_server_wait_disconnected(r.server, 1);
	g_clear_pointer(&r.conn, rpc_conn_unref);
	rpc_server_wait_disconnected(r.server, 60000);
}

/* A call that gets no thread is refused; the server continues and serves the next one. */
static void test_no_thread(void)
{
	scoped_rig r = {0};
	g_autoptr(GError) error = NULL;
	rig_up(&r);
	g_autoptr(rpc_call) held = rpc_call_start(r.conn, "/test.Rig/Hang", NULL, NULL, 0, &error);
	rpc_call_metadata(held);
	thread_set_limit(thread_count());
	g_autoptr(bytes_message) refused = rig_unary(r.conn, "/test.Rig/Echo", "x", 1, &error);
	thread_set_limit(0);
	g_assert_null(refused);
	g_assert_true(error_is(error, ERROR_RESOURCE_EXHAUSTED));
	g_assert_nonnull(strstr(error->message, "/test.Rig/Echo: no thread for the call: "));
	g_clear_error(&error);
	g_autoptr(bytes_message) reply = rig_unary(r.conn, "/test.Rig/Echo", "x", 1, &error);
	g_assert_no_error(error);
	rpc_call_abort(held);
}

static void test_calls_of_connection(void)
{
	enum { N = 520 };
	scoped_rig r = {0};
	g_autoptr(GError) error = NULL;
	rig_up(&r);
	rpc_call *all[N];
	unsigned served = 0;
	for (size_t i = 0; i < N; i++) {
		all[i] = rpc_call_start(r.conn, "/test.Rig/Hang", NULL, NULL, 0, &error);
		g_assert_no_error(error);
		rpc_call_metadata(all[i]);
	}
	for (size_t i = 0; i < N; i++)
		served += !rpc_unary_has_ended(all[i]);
	g_assert_cmpuint(served, ==, LIMIT_CONNECTION_THREADS);
	g_assert_false(rpc_call_finish(all[N - 1], &error));
	g_assert_true(error_is(error, ERROR_RESOURCE_EXHAUSTED));
	for (size_t i = 0; i < N; i++) {
		rpc_call_abort(all[i]);
		rpc_call_unref(all[i]);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/call/unary", test_unary);
	g_test_add_func("/call/errors-with-details", test_errors_with_details);
	g_test_add_func("/call/empty-detail", test_empty_detail);
	g_test_add_func("/call/error-edges", test_error_edges);
	g_test_add_func("/call/huge-errors", test_huge_errors);
	g_test_add_func("/call/unknown", test_unknown);
	g_test_add_func("/call/metadata", test_metadata);
	g_test_add_func("/call/streams", test_streams);
	g_test_add_func("/call/many", test_many);
	g_test_add_func("/call/slow-reader", test_slow_reader);
	g_test_add_func("/call/throughput", test_throughput);
	g_test_add_func("/call/cancel", test_cancel);
	g_test_add_func("/call/deadline", test_deadline);
	g_test_add_func("/call/message-limit", test_message_limit);
	g_test_add_func("/call/server-stop", test_server_stop);
	g_test_add_func("/call/write-error", test_write_error);
	g_test_add_func("/call/idle-streams", test_idle_streams);
	g_test_add_func("/call/serving", test_serving);
	g_test_add_func("/call/wait-disconnected", test_wait_disconnected);
	g_test_add_func("/call/no-thread", test_no_thread);
	g_test_add_func("/call/calls-of-connection", test_calls_of_connection);
	return g_test_run();
}
