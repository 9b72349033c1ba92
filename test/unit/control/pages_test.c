/* SPDX-License-Identifier: Apache-2.0 */
/* The pages about builds: of a running one, of stored ones, of none. */
#include "control/pages.h"
#include "api/message.h"
#include "control.pb-c.h"
#include "lib/control_rig.h"
#include "progress/log_file.h"
#include <jansson.h>
#include <string.h>

static void setup(struct control_rig *r, gconstpointer data)
{
	control_rig_init(r);
}

static void teardown(struct control_rig *r, gconstpointer data)
{
	control_rig_clear(r);
}

static GBytes *log_of(const char *name)
{
	Control__Vertex vertex = CONTROL__VERTEX__INIT, *vertices[] = {&vertex};
	Control__StatusResponse m = CONTROL__STATUS_RESPONSE__INIT;
	g_autoptr(GByteArray) file = g_byte_array_new();
	vertex.name = (char *)name;
	vertex.digest = (char *)"d";
	m.vertexes = vertices;
	m.n_vertexes = 1;
	g_autoptr(GBytes) message = message_pack(&m);
	log_file_append(file, message);
	return g_byte_array_free_to_bytes(g_steal_pointer(&file));
}

static struct control_page get(control_pages *p, const char *path, const char *query, int status)
{
	struct control_page page;
	g_assert_true(control_pages_get(p, path, query, &page));
	g_assert_cmpint(page.status, ==, status);
	return page;
}

static void expect(control_pages *p, const char *path, const char *query, int status, const char *text)
{
	struct control_page page = get(p, path, query, status);
	if (!strstr(page.body, text))
		g_test_message("%s: no \"%s\" in %s", path, text, page.body);
	g_assert_nonnull(strstr(page.body, text));
	control_page_clear(&page);
}

static json_t *get_data(control_pages *p, const char *path, const char *query)
{
	struct control_page page = get(p, path, query, 200);
	json_t *data = json_loads(page.body, 0, NULL);
	g_assert_nonnull(data);
	control_page_clear(&page);
	return data;
}

static void test_stored(struct control_rig *r, gconstpointer data)
{
	control_pages *p = control_pages_new(r->control.builder);
	g_autoptr(GBytes) log = log_of("RUN <b>");
	control_rig_store(r, "a/b", log);
	expect(p, "/", "", 200, "href=\"/builds/a%2Fb\"");
	expect(p, "/builds/a%2Fb", "", 200, "RUN &lt;b&gt;");
	expect(p, "/builds/a%2Fb/trace.json", "", 200, "traceEvents");
	expect(p, "/builds/a%2Fb/log/1", "", 200, "");
	expect(p, "/compare", "a=a%2Fb&b=a%2Fb", 200, "RUN &lt;b&gt;");
	expect(p, "/compare", "a=a%2Fb", 400, "Two builds are needed");
	expect(p, "/compare", "a=a%2Fb&b=%3Cb%3E", 404, "&lt;b&gt;");
	g_autoptr(json_t) build = get_data(p, "/builds/a%2Fb/data.json", "");
	g_assert_true(json_is_false(json_object_get(build, "live")));
	struct control_page file = get(p, "/builds/a%2Fb/file.html", "", 200);
	g_assert_cmpstr(file.filename, ==, "build.html");
	control_page_clear(&file);
	control_pages_free(p);
}

static void test_unknown(struct control_rig *r, gconstpointer data)
{
	static const char *const paths[] = {"/x",
					    "/builds",
					    "/builds/",
					    "/builds/%zz",
					    "/builds/a/x",
					    "/builds/a/log",
					    "/builds/a/log/0",
					    "/builds/a/log/x",
					    "/builds/a/log/1/2",
					    "/builds/a/data.json/x"};
	control_pages *p = control_pages_new(r->control.builder);
	g_autoptr(GBytes) log = log_of("x");
	control_rig_store(r, "a", log);
	struct control_page page;
	for (size_t i = 0; i < G_N_ELEMENTS(paths); i++)
		g_assert_false(control_pages_get(p, paths[i], "", &page));
	expect(p, "/builds/none", "", 404, "No such build");
	control_pages_free(p);
}

static void test_damaged(struct control_rig *r, gconstpointer data)
{
	control_pages *p = control_pages_new(r->control.builder);
	g_autoptr(GBytes) log = g_bytes_new_static("\x10\0\0\0x", 5);
	control_rig_store(r, "a", log);
	expect(p, "/builds/a", "", 200, "The stored progress of this build is damaged.");
	control_pages_free(p);
}

/* More builds than are kept: each is read again when it is asked for. */
static void test_many(struct control_rig *r, gconstpointer data)
{
	control_pages *p = control_pages_new(r->control.builder);
	for (int pass = 0; pass < 2; pass++)
		for (int i = 0; i < 9; i++) {
			g_autofree char *ref = g_strdup_printf("r%d", i), *name = g_strdup_printf("step of %d", i),
					*path = g_strconcat("/builds/", ref, NULL);
			g_autoptr(GBytes) log = log_of(name);
			if (pass == 0)
				control_rig_store(r, ref, log);
			expect(p, path, "", 200, name);
		}
	control_pages_free(p);
}

/* Changes of a running build arrive with later requests. */
static void test_running(struct control_rig *r, gconstpointer data)
{
	control_pages *p = control_pages_new(r->control.builder);
	g_autoptr(GHashTable) none = g_hash_table_new(g_str_hash, g_str_equal);
	struct history_build build = {.ref = "r1", .frontend = "", .frontend_attrs = none, .started_ns = 1};
	history_started(r->history, &build);
	control_rig_begin(r, "r1");
	expect(p, "/builds/r1", "", 200, "state running");
	g_autoptr(json_t) empty = get_data(p, "/builds/r1/data.json", "");
	g_assert_cmpuint(json_array_size(json_object_get(empty, "steps")), ==, 0);
	g_autoptr(progress_sink) sink = progress_sink_new(&(struct progress_vertex){.digest = "d", .name = "one"});
	progress_sink_add(sink, r->log);
	progress_sink_start(sink);
	g_autofree char *since =
		g_strdup_printf("since=%" JSON_INTEGER_FORMAT, json_integer_value(json_object_get(empty, "version")));
	g_autoptr(json_t) later = get_data(p, "/builds/r1/data.json", since);
	g_assert_true(json_is_true(json_object_get(later, "live")));
	const json_t *step = json_array_get(json_object_get(later, "steps"), 0);
	g_assert_cmpstr(json_string_value(json_object_get(step, "state")), ==, "running");
	progress_sink_complete(sink, NULL, false);
	progress_log_close(r->log);
	g_autoptr(GBytes) log = log_of("one");
	g_autoptr(GError) error = NULL;
	history_completed(r->history, &build, &(struct history_end){.completed_ns = 2, .log = log, .metadata = none},
			  &error);
	g_assert_no_error(error);
	g_autoptr(json_t) end = get_data(p, "/builds/r1/data.json", since);
	g_assert_true(json_is_false(json_object_get(end, "live")));
	step = json_array_get(json_object_get(end, "steps"), 0);
	g_assert_cmpstr(json_string_value(json_object_get(step, "state")), ==, "done");
	control_pages_free(p);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
#define TEST(name, function) g_test_add("/control-pages/" name, struct control_rig, NULL, setup, function, teardown)
	TEST("stored", test_stored);
	TEST("unknown", test_unknown);
	TEST("damaged", test_damaged);
	TEST("many", test_many);
	TEST("running", test_running);
	return g_test_run();
}
