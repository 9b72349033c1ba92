/* SPDX-License-Identifier: Apache-2.0 */
/* Status: of a running build, of one that begins later, of a stored one, and of none. */
#include "api/message.h"
#include "control.pb-c.h"
#include "lib/control_rig.h"
#include "progress/log_file.h"

#define STATUS "/moby.buildkit.v1.Control/Status"

static void setup(struct control_rig *r, gconstpointer data)
{
	control_rig_init(r);
}

static void teardown(struct control_rig *r, gconstpointer data)
{
	control_rig_clear(r);
}

static rpc_call *status(struct control_rig *r, const char *ref)
{
	Control__StatusRequest request = CONTROL__STATUS_REQUEST__INIT;
	request.ref = (char *)ref;
	return control_rig_stream(r, STATUS, &request);
}

/* The names of the vertices of the next message. */
static char *next(rpc_call *call)
{
	g_autoptr(GError) error = NULL;
	Control__StatusResponse *m = rpc_call_recv_message(call, &control__status_response__descriptor, &error);
	g_assert_no_error(error);
	GString *names = g_string_new(NULL);
	for (size_t i = 0; m && i < m->n_vertexes; i++)
		g_string_append_printf(names, "%s;", m->vertexes[i]->name);
	guard_free(m);
	return g_string_free(names, FALSE);
}

static void expect_end(rpc_call *call)
{
	g_autoptr(GError) error = NULL;
	g_assert_null(rpc_call_recv(call, &error));
	g_assert_no_error(error);
}

static void add_vertex(struct control_rig *r, const char *name)
{
	struct digest digest;
	digest_of_text(name, &digest);
	g_autoptr(progress_sink) sink =
		progress_sink_new(&(struct progress_vertex){.digest = digest.text, .name = name});
	progress_sink_add(sink, r->log);
}

static void test_running(struct control_rig *r, gconstpointer data)
{
	control_rig_begin(r, "r1");
	add_vertex(r, "one");
	g_autoptr(rpc_call) call = status(r, "r1");
	const rpc_metadata *md = rpc_call_metadata(call);
	const char *now = rpc_metadata_get(md, "buildkit-current-timestamp");
	g_autoptr(GDateTime) time = g_date_time_new_from_iso8601(now, NULL);
	g_assert_nonnull(time);
	g_autofree char *first = next(call);
	g_assert_cmpstr(first, ==, "one;");
	add_vertex(r, "two"); /* the call waits for it */
	g_autofree char *second = next(call);
	g_assert_cmpstr(second, ==, "two;");
	progress_log_close(r->log);
	expect_end(call);
}

static void test_later(struct control_rig *r, gconstpointer data)
{
	g_autoptr(rpc_call) call = status(r, "r1");
	event_wait(&r->watched, 1);
	control_rig_begin(r, "r1");
	add_vertex(r, "one");
	progress_log_close(r->log);
	g_autofree char *first = next(call);
	g_assert_cmpstr(first, ==, "one;");
	expect_end(call);
	g_assert_null(r->notify);
}

/* A call that waits and ends before there is a build is not told of one. */
static void test_left(struct control_rig *r, gconstpointer data)
{
	rpc_call *call = status(r, "r1");
	event_wait(&r->watched, 1);
	rpc_call_abort(call);
	rpc_call_unref(call); /* control_rig_clear checks that nothing watches */
}

static GBytes *log_of(guint n)
{
	g_autoptr(GByteArray) file = g_byte_array_new();
	for (guint i = 0; i < n; i++) {
		Control__Vertex vertex = CONTROL__VERTEX__INIT, *vertices[] = {&vertex};
		Control__StatusResponse m = CONTROL__STATUS_RESPONSE__INIT;
		g_autofree char *name = g_strdup_printf("stored %u", i);
		vertex.name = name;
		m.vertexes = vertices;
		m.n_vertexes = 1;
		g_autoptr(GBytes) message = message_pack(&m);
		log_file_append(file, message);
	}
	return g_byte_array_free_to_bytes(g_steal_pointer(&file));
}

static void test_stored(struct control_rig *r, gconstpointer data)
{
	g_autoptr(GBytes) log = log_of(5000); /* more than fits in a window */
	control_rig_store(r, "r1", log);
	g_autoptr(rpc_call) call = status(r, "r1");
	for (guint i = 0; i < 5000; i++) {
		g_autofree char *names = next(call), *expected = g_strdup_printf("stored %u;", i);
		g_assert_cmpstr(names, ==, expected);
	}
	expect_end(call);
}

static void test_damaged(struct control_rig *r, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GBytes) log = log_of(2), cut = g_bytes_new_from_bytes(log, 0, g_bytes_get_size(log) - 1);
	control_rig_store(r, "r1", cut);
	g_autoptr(rpc_call) call = status(r, "r1");
	g_autofree char *names = next(call);
	g_assert_cmpstr(names, ==, "stored 0;");
	control_rig_failed(rpc_call_recv(call, &error), &error, ERROR_DATA_LOSS,
			   "the stored log of build r1 is truncated");
}

/* Waits 6 s, as clients of upstream's daemon do. */
static void test_never(struct control_rig *r, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	control_rig_begin(r, "another");
	g_autoptr(rpc_call) call = status(r, "r1");
	control_rig_failed(rpc_call_recv(call, &error), &error, ERROR_NOT_FOUND, "no such job r1");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add("/status/running", struct control_rig, NULL, setup, test_running, teardown);
	g_test_add("/status/later", struct control_rig, NULL, setup, test_later, teardown);
	g_test_add("/status/left", struct control_rig, NULL, setup, test_left, teardown);
	g_test_add("/status/stored", struct control_rig, NULL, setup, test_stored, teardown);
	g_test_add("/status/damaged", struct control_rig, NULL, setup, test_damaged, teardown);
	g_test_add("/status/never", struct control_rig, NULL, setup, test_never, teardown);
	return g_test_run();
}
