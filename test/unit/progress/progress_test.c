/* SPDX-License-Identifier: Apache-2.0 */
#include "progress/progress.h"
#include <string.h>

static progress_sink *sink(const char *digest, const char *name, const char *input)
{
	const char *inputs[] = {input};
	return progress_sink_new(
		&(struct progress_vertex){.digest = digest, .name = name, .inputs = inputs, .n_inputs = input ? 1 : 0});
}

/* Events as text: "a:start a:done(cached) a:log(hi)". */
static char *read_all(progress_log *log)
{
	g_autoptr(progress_reader) r = progress_reader_new(log, NULL);
	GString *s = g_string_new(NULL);
	for (;;) {
		g_autoptr(GPtrArray) batch = progress_reader_next(r, 0);
		if (!batch)
			break;
		for (guint i = 0; i < batch->len; i++) {
			const struct progress_event *e = batch->pdata[i];
			g_string_append_printf(s, "%s%s:", s->len ? " " : "", e->vertex);
			if (e->type == PROGRESS_LOG)
				g_string_append_printf(s, "log%d(%.*s)", e->log.stream, (int)e->log.len,
						       (const char *)e->log.bytes);
			else if (e->type == PROGRESS_STATUS)
				g_string_append_printf(s, "status(%s %d)", e->status.id, (int)e->status.current);
			else if (e->type == PROGRESS_WARNING)
				g_string_append_printf(s, "warn(%s)", e->warning.text);
			else
				g_string_append_printf(s, "%s%s%s%s",
						       e->v.completed_ns ? "done"
						       : e->v.started_ns ? "start"
									 : "new",
						       e->v.cached ? "(cached)" : "", e->v.error ? "!" : "",
						       e->v.error ? e->v.error : "");
		}
	}
	return g_string_free(s, FALSE);
}

static void check(progress_log *log, const char *want)
{
	progress_log_close(log);
	g_autofree char *got = read_all(log);
	g_assert_cmpstr(got, ==, want);
}

static void test_replay(void)
{
	g_autoptr(progress_log) first = progress_log_new(), second = progress_log_new();
	g_autoptr(progress_sink) s = sink("a", "A", NULL);
	progress_sink_add(s, first);
	progress_sink_add(s, first);
	progress_sink_start(s);
	progress_output(s, 1, "hi", 2);
	progress_sink_add(s, second);
	progress_warn(s, &(struct progress_warning){.text = "w", .detail = (const char *const[]){"d", NULL}});
	progress_sink_complete(s, NULL, false);
	check(first, "a:new a:start a:log1(hi) a:warn(w) a:done");
	check(second, "a:new a:start a:log1(hi) a:warn(w) a:done");
	struct progress_counts c = progress_log_counts(first);
	g_assert_cmpint(c.total, ==, 1);
	g_assert_cmpint(c.completed, ==, 1);
	g_assert_cmpint(c.cached, ==, 0);
	g_assert_cmpint(c.warnings, ==, 1);
}

/* Inputs of a vertex that starts are reported as cached; the whole chain, each once. */
static void test_implicit(void)
{
	g_autoptr(progress_log) log = progress_log_new();
	g_autoptr(progress_sink) a = sink("a", "A", NULL), b = sink("b", "B", "a"), c = sink("c", "C", "b"),
				 d = sink("d", "D", "b");
	progress_sink_add(a, log);
	progress_sink_add(b, log);
	progress_sink_add(c, log);
	progress_sink_add(d, log);
	progress_sink_start(c);
	progress_sink_start(d);
	progress_sink_complete(c, NULL, false);
	progress_sink_complete(d, "bad", false);
	check(log, "a:new b:new c:new d:new a:done(cached) b:done(cached) c:start d:start c:done d:done!bad");
	g_assert_cmpint(progress_log_counts(log).cached, ==, 2);
}

/* Unfinished vertices end with "context canceled" unless they were seen cached. */
static void test_close(void)
{
	g_autoptr(progress_log) log = progress_log_new();
	g_autoptr(progress_sink) a = sink("a", "A", NULL), b = sink("b", "B", "a");
	progress_sink_add(a, log);
	progress_sink_start(a);
	progress_sink_add(b, log);
	progress_log_close(log);
	progress_sink_complete(a, NULL, false);
	check(log, "a:new a:start b:new a:done!context canceled");
	g_autoptr(progress_log) cached = progress_log_new();
	g_autoptr(progress_sink) c = sink("c", "C", NULL);
	progress_sink_add(c, cached);
	progress_sink_start_cached(c);
	check(cached, "c:new c:start(cached) c:done(cached)");
}

static void test_coalesce(void)
{
	g_autoptr(progress_log) log = progress_log_new();
	g_autoptr(progress_sink) a = sink("a", "A", NULL);
	progress_sink_add(a, log);
	for (int i = 0; i < 1000; i++)
		progress_status(a, &(struct progress_status){.id = i % 2 ? "x" : "y", .current = i});
	g_autoptr(progress_reader) r = progress_reader_new(log, NULL);
	g_autoptr(GPtrArray) batch = progress_reader_next(r, 0);
	g_assert_cmpuint(batch->len, ==, 3);
	progress_status(a, &(struct progress_status){.id = "x", .current = 5000});
	check(log, "a:new a:status(y 998) a:status(x 999) a:status(x 5000)");
	g_autoptr(progress_log) late = progress_log_new();
	progress_sink_add(a, late);
	check(late, "a:new a:status(y 998) a:status(x 5000)");
}

/* What is held comes later in its order, also to a log that is added meanwhile; of a counter, only the last held value. */
static void test_hold(void)
{
	g_autoptr(progress_log) first = progress_log_new(), second = progress_log_new();
	g_autoptr(progress_sink) a = sink("a", "A", NULL), b = sink("b", "B", NULL);
	progress_sink_add(a, first);
	progress_sink_add(b, first);
	progress_status(b, &(struct progress_status){.id = "t", .current = 1});
	progress_sink_hold(b);
	progress_sink_hold(b);
	progress_sink_start(b);
	progress_status(b, &(struct progress_status){.id = "s", .current = 2});
	progress_status(b, &(struct progress_status){.id = "s", .current = 3});
	progress_sink_release(b);
	progress_sink_add(b, second);
	progress_sink_start(a);
	progress_sink_complete(a, NULL, false);
	progress_sink_release(b);
	progress_sink_complete(b, NULL, false);
	check(first, "a:new b:new b:status(t 1) a:start a:done b:start b:status(s 3) b:done");
	check(second, "b:new b:status(t 1) b:start b:status(s 3) b:done");
	progress_sink_hold(NULL);
	progress_sink_release(NULL);
}

static void test_remove(void)
{
	g_autoptr(progress_log) one = progress_log_new(), two = progress_log_new();
	g_autoptr(progress_sink) a = sink("a", "A", NULL);
	progress_sink_add(a, one);
	progress_sink_add(a, two);
	progress_sink_start(a);
	progress_sink_remove(a, one);
	progress_sink_complete(a, NULL, true);
	check(one, "a:new a:start a:done!context canceled");
	check(two, "a:new a:start a:done(cached)");
}

static void test_null(void)
{
	progress_sink_start(NULL);
	progress_sink_complete(NULL, NULL, false);
	progress_output(NULL, 1, "x", 1);
	progress_status(NULL, &(struct progress_status){.id = "x"});
	progress_sink_unref(NULL);
	g_assert_false(progress_sink_is_open(NULL));
}

static gpointer writer(gpointer data)
{
	for (int i = 0; i < 2000; i++)
		progress_output(data, 1, "x", 1);
	return NULL;
}

static gpointer canceler(gpointer data)
{
	cancel_set(data, ERROR_CANCELED, NULL);
	return NULL;
}

/* Reads the announcement of a vertex and the lines of the two writers. */
static void read_lines(progress_reader *r)
{
	guint vertices = 0, lines = 0;
	while (vertices + lines < 4001) {
		g_autoptr(GPtrArray) batch = progress_reader_next(r, 5);
		g_assert_nonnull(batch);
		for (guint i = 0; i < batch->len; i++) {
			const struct progress_event *e = batch->pdata[i];
			vertices += e->type == PROGRESS_VERTEX;
			lines += e->type == PROGRESS_LOG && e->log.len == 1 && memcmp(e->log.bytes, "x", 1) == 0;
		}
	}
	g_assert_cmpuint(vertices, ==, 1);
	g_assert_cmpuint(lines, ==, 4000);
}

/* Readers lose nothing of concurrent writers, and one that waits for more ends when it is canceled. */
static void test_threads(void)
{
	g_autoptr(progress_log) log = progress_log_new();
	g_autoptr(progress_sink) a = sink("a", "A", NULL);
	g_autoptr(cancel) c = cancel_new(NULL);
	progress_sink_add(a, log);
	g_autoptr(progress_reader) r = progress_reader_new(log, NULL), stopped = progress_reader_new(log, c);
	GThread *writers[] = {g_thread_new("w", writer, a), g_thread_new("w", writer, a)};
	read_lines(r);
	read_lines(stopped);
	GThread *other = g_thread_new("c", canceler, c);
	g_assert_null(progress_reader_next(stopped, 5));
	g_assert_true(cancel_is_set(c));
	g_thread_join(other);
	for (size_t i = 0; i < G_N_ELEMENTS(writers); i++)
		g_thread_join(writers[i]);
	progress_log_close(log);
	g_autoptr(GPtrArray) last = progress_reader_next(r, 0);
	g_assert_null(last);
}

/* A warning may come before its vertex. */
static void test_early_warning(void)
{
	g_autoptr(progress_log) log = progress_log_new();
	progress_log_warn(log, "sha256:early", &(struct progress_warning){.level = 3, .text = "careful", .url = "u"});
	progress_log_close(log);
	g_autoptr(progress_reader) r = progress_reader_new(log, NULL);
	g_autoptr(GPtrArray) events = progress_reader_next(r, 0);
	g_assert_cmpuint(events->len, ==, 1);
	const struct progress_event *e = events->pdata[0];
	g_assert_cmpint(e->type, ==, PROGRESS_WARNING);
	g_assert_cmpstr(e->vertex, ==, "sha256:early");
	g_assert_cmpstr(e->warning.text, ==, "careful");
	g_assert_cmpint(progress_log_counts(log).warnings, ==, 1);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/progress/replay", test_replay);
	g_test_add_func("/progress/implicit", test_implicit);
	g_test_add_func("/progress/close", test_close);
	g_test_add_func("/progress/coalesce", test_coalesce);
	g_test_add_func("/progress/hold", test_hold);
	g_test_add_func("/progress/remove", test_remove);
	g_test_add_func("/progress/null", test_null);
	g_test_add_func("/progress/threads", test_threads);
	g_test_add_func("/progress/early-warning", test_early_warning);
	return g_test_run();
}
