/* SPDX-License-Identifier: Apache-2.0 */
#include "executor/step_log.h"

static GString *collected(progress_log *log)
{
	GString *all = g_string_new(NULL);
	progress_log_close(log);
	progress_reader *r = progress_reader_new(log, NULL);
	GPtrArray *events;
	while ((events = progress_reader_next(r, 0)) != NULL) {
		for (guint i = 0; i < events->len; i++) {
			const struct progress_event *e = g_ptr_array_index(events, i);
			if (e->type == PROGRESS_LOG)
				g_string_append_len(all, e->log.bytes, (gssize)e->log.len);
		}
		g_ptr_array_unref(events);
	}
	progress_reader_free(r);
	return all;
}

struct fixture {
	progress_log *log;
	progress_sink *sink;
};

static void setup(struct fixture *f, gconstpointer data)
{
	g_unsetenv("BUILDKIT_STEP_LOG_MAX_SIZE");
	g_unsetenv("BUILDKIT_STEP_LOG_MAX_SPEED");
	f->log = progress_log_new();
	f->sink = progress_sink_new(&(struct progress_vertex){.digest = "sha256:x", .name = "x"});
	progress_sink_add(f->sink, f->log);
	progress_sink_start(f->sink);
}

static void teardown(struct fixture *f, gconstpointer data)
{
	progress_sink_unref(f->sink);
	progress_log_unref(f->log);
}

static char *zeros(size_t n)
{
	char *bytes = g_malloc(n);
	memset(bytes, '0', n);
	return bytes;
}

static void test_speed(struct fixture *f, gconstpointer data)
{
	struct step_log log;
	g_autofree char *bytes = zeros(300 * 1024);
	step_log_init(&log, f->sink);
	step_log_write(&log, 1, "a", 1);
	step_log_write(&log, 1, bytes, 300 * 1024);
	step_log_write(&log, 1, bytes, 10);
	step_log_write(&log, 2, "err", 3);
	step_log_done(&log);
	GString *all = collected(f->log);
	g_autofree char *expected_end = g_strdup("\n[output clipped, log limit 200KiB/s reached]\nerr");
	g_assert_true(g_str_has_suffix(all->str, expected_end));
	g_assert_cmpint(all->len, ==, 200 * 1024 + strlen(expected_end));
	g_string_free(all, TRUE);
}

static void test_size_and_tail(struct fixture *f, gconstpointer data)
{
	struct step_log log;
	g_setenv("BUILDKIT_STEP_LOG_MAX_SIZE", "1024", TRUE);
	g_setenv("BUILDKIT_STEP_LOG_MAX_SPEED", "-1", TRUE);
	step_log_init(&log, f->sink);
	g_autofree char *bytes = zeros(1000);
	step_log_write(&log, 1, bytes, 1000);
	step_log_write(&log, 1, "0123456789012345678901234567890123456789", 40);
	g_autofree char *many = zeros(STEP_LOG_TAIL_BYTES);
	step_log_write(&log, 1, many, STEP_LOG_TAIL_BYTES - 1);
	step_log_write(&log, 1, "end", 3);
	step_log_flush_tail(&log);
	step_log_flush_tail(&log);
	step_log_done(&log);
	GString *all = collected(f->log);
	const char *line = "012345678901234567890123\n[output clipped, log limit 1KiB reached]\n";
	g_assert_true(g_str_has_prefix(all->str + 1000, line));
	g_assert_cmpint(all->len, ==, 1000 + strlen(line) + STEP_LOG_TAIL_BYTES);
	g_assert_true(g_str_has_suffix(all->str, "000end"));
	g_string_free(all, TRUE);
}

static void test_off(struct fixture *f, gconstpointer data)
{
	struct step_log log;
	g_setenv("BUILDKIT_STEP_LOG_MAX_SIZE", "-1", TRUE);
	step_log_init(&log, f->sink);
	g_autofree char *bytes = zeros(5 * 1024 * 1024);
	step_log_write(&log, 1, bytes, 5 * 1024 * 1024);
	step_log_flush_tail(&log);
	step_log_done(&log);
	GString *all = collected(f->log);
	g_assert_cmpint(all->len, ==, 5 * 1024 * 1024);
	g_string_free(all, TRUE);
}

static void test_size_text(void)
{
	static const struct {
		int64_t bytes;
		const char *text;
	} cases[] = {{2 << 20, "2MiB"}, {200 << 10, "200KiB"}, {1536, "1.5KiB"}, {7, "7B"}};
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *text = step_log_size_text(cases[i].bytes);
		g_assert_cmpstr(text, ==, cases[i].text);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add("/step-log/speed", struct fixture, NULL, setup, test_speed, teardown);
	g_test_add("/step-log/size-and-tail", struct fixture, NULL, setup, test_size_and_tail, teardown);
	g_test_add("/step-log/off", struct fixture, NULL, setup, test_off, teardown);
	g_test_add_func("/step-log/size-text", test_size_text);
	return g_test_run();
}
