/* SPDX-License-Identifier: Apache-2.0 */
#include "timeline/timeline.h"
#include "lib/status_maker.h"
#include <string.h>

static void assert_critical(const timeline *t, const char *want)
{
	g_autoptr(GString) got = g_string_new(NULL);
	for (guint i = 0; i < t->critical->len; i++)
		g_string_append_printf(got, "%s%s", i ? " " : "",
				       ((struct timeline_step *)t->critical->pdata[i])->digest);
	g_assert_cmpstr(got->str, ==, want);
}

/* The input that ended last decides, although another one took longer. */
static void test_critical_inputs(void)
{
	g_autoptr(timeline) t = timeline_new("r", NULL);
	status_vertex(t, "a", "a", "", 0, 3000, false, NULL);
	status_vertex(t, "b", "b", "", 2000, 4000, false, NULL);
	status_vertex(t, "c", "c", "a b", 4100, 5000, false, NULL);
	timeline_analyze(t, STATUS_NS(9000));
	assert_critical(t, "b c");
	g_assert_cmpint(timeline_at(t, 3)->ready_ns, ==, STATUS_NS(4000));
	g_assert_cmpint(timeline_at(t, 3)->phase_ns[TIMELINE_QUEUE], ==, 100000000);
	g_assert_cmpint(t->end_ns - t->start_ns, ==, INT64_C(5000000000));
}

/* Steps without inputs follow the one that ended before; a cached input is loaded only when it is needed. */
static void test_critical_without_inputs(void)
{
	g_autoptr(timeline) t = timeline_new("r", NULL);
	status_vertex(t, "definition", "load", "", 0, 100, false, NULL);
	status_vertex(t, "base", "base", "", 1990, 1990, true, NULL);
	status_vertex(t, "run", "run", "", 150, 1980, false, NULL);
	status_vertex(t, "copy", "copy", "base run", 1991, 2500, false, NULL);
	status_vertex(t, "export", "exporting", "", 2501, 3000, false, NULL);
	timeline_analyze(t, STATUS_NS(3000));
	assert_critical(t, "definition run copy export");
}

static void test_cycle(void)
{
	g_autoptr(timeline) t = timeline_new("r", NULL);
	status_vertex(t, "a", "a", "b", 0, 10, false, NULL);
	status_vertex(t, "b", "b", "a b", 10, 20, false, NULL);
	timeline_analyze(t, STATUS_NS(20));
	assert_critical(t, "a b");
}

static void test_states(void)
{
	g_autoptr(timeline) t = timeline_new("r", NULL);
	status_vertex(t, "p", "p", "", -1, -1, false, NULL);
	status_vertex(t, "r", "r", "", 5, -1, false, NULL);
	status_vertex(t, "c", "c", "", 5, 5, true, NULL);
	status_vertex(t, "d", "d", "", 5, 6, false, NULL);
	status_vertex(t, "f", "f", "", 5, 6, false, "exit code: 1");
	status_vertex(t, "x", "x", "", 5, 6, false, "a: context canceled");
	timeline_analyze(t, STATUS_NS(105));
	for (unsigned i = 0; i < TIMELINE_N_STATES; i++) {
		g_assert_cmpuint(timeline_step_state(timeline_at(t, i + 1)), ==, i);
		g_assert_cmpuint(t->n[i], ==, 1);
	}
	g_assert_cmpint(timeline_step_ns(timeline_at(t, 2), t->end_ns), ==, 100000000);
	g_assert_null(timeline_at(t, 0));
	g_assert_null(timeline_at(t, 7));
}

/* Spans of a phase count once, and what no status covers is the step's own time. */
static void test_phases(void)
{
	g_autoptr(timeline) t = timeline_new("r", NULL);
	status_vertex(t, "a", "FROM x", "", 0, 1000, false, NULL);
	status_status(t, "a", "resolve x", 0, 0, 0, 100);
	status_status(t, "a", "sha256:1", 5, 10, 100, 500);
	status_status(t, "a", "sha256:2", 10, 10, 300, 600);
	status_status(t, "a", "extracting sha256:1", 0, 0, 600, 900);
	timeline_analyze(t, STATUS_NS(1000));
	const struct timeline_step *s = timeline_at(t, 1);
	g_assert_cmpint(s->phase_ns[TIMELINE_RESOLVE], ==, 100000000);
	g_assert_cmpint(s->phase_ns[TIMELINE_PULL], ==, 500000000);
	g_assert_cmpint(s->phase_ns[TIMELINE_UNPACK], ==, 300000000);
	g_assert_cmpint(s->phase_ns[TIMELINE_RUN], ==, 100000000);
	/* The status changes; it is not a second one. */
	status_status(t, "a", "sha256:1", 10, 10, 100, 500);
	g_assert_cmpuint(s->statuses->len, ==, 4);
}

static void test_log(void)
{
	g_autoptr(timeline) t = timeline_new("r", NULL);
	status_vertex(t, "a", "a\nb\x1b[31m", "", 1000, -1, false, NULL);
	g_assert_cmpstr(timeline_at(t, 1)->name, ==, "a b\xe2\x90\x9b[31m");
	status_log(t, "a", 1000, "\x1b[32mone\x1b[0m\r\ntw");
	status_log(t, "a", 2500, "o\x1b]0;t\x07\n");
	status_log(t, "unknown", 2500, "lost");
	g_assert_cmpstr(timeline_at(t, 1)->log->str, ==,
			"    0.000  one\n    0.000  two\xe2\x90\x9b]0;t\xe2\x90\x87\n");
}

static void test_log_limit(void)
{
	g_autoptr(timeline) t = timeline_new("r", NULL);
	g_autofree char *half = g_strnfill(TIMELINE_STEP_LOG_BYTES / 2, 'x');
	status_vertex(t, "a", "a", "", 0, -1, false, NULL);
	for (int i = 0; i < 3; i++)
		status_log(t, "a", 0, half);
	g_assert_cmpuint(timeline_at(t, 1)->log->len, <=, TIMELINE_STEP_LOG_BYTES);
	g_assert_cmpuint(timeline_at(t, 1)->log_left_out, ==, TIMELINE_STEP_LOG_BYTES);
}

static void test_miss(void)
{
	g_autoptr(timeline) t = timeline_new("r", NULL);
	status_vertex(t, "a", "COPY x", "", 0, 10, false, NULL);
	status_status(t, "a", "cache miss: x changed", 0, 0, 0, 0);
	g_assert_cmpstr(timeline_at(t, 1)->miss, ==, "x changed");
	g_assert_cmpuint(timeline_at(t, 1)->statuses->len, ==, 0);
	char *before = (char *)"1", *empty = (char *)"", *changed = (char *)"changed";
	Explain__Fact fact = EXPLAIN__FACT__INIT, *facts[] = {&fact};
	Explain__File file = EXPLAIN__FILE__INIT, *files[] = {&file};
	Explain__Step step = EXPLAIN__STEP__INIT, *steps[] = {&step};
	Explain__ExplainResponse reply = EXPLAIN__EXPLAIN_RESPONSE__INIT;
	fact.name = (char *)"build-arg V";
	fact.before = before;
	fact.after = empty;
	fact.change = file.change = changed;
	file.path = (char *)"src/a.c";
	step.name = (char *)"COPY x";
	step.reason = (char *)"2 differ";
	step.earlier = (char *)"q";
	step.facts = facts;
	step.files = files;
	reply.steps = steps;
	step.n_facts = step.n_files = reply.n_steps = 1;
	timeline_explain(t, &reply);
	const struct timeline_step *s = timeline_at(t, 1);
	g_assert_cmpstr(s->miss, ==, "2 differ");
	g_assert_cmpstr(s->compared_with, ==, "q");
	g_assert_cmpstr(s->changes->pdata[0], ==, "changed build-arg V: 1 -> -");
	g_assert_cmpstr(s->changes->pdata[1], ==, "changed src/a.c");
}

static void test_durations(void)
{
	static const struct {
		int64_t ms;
		const char *text;
	} rows[] = {{0, "0 ms"},          {999, "999 ms"},          {1000, "1.00 s"},       {59940, "59.9 s"},
		    {60000, "1 min 0 s"}, {3599999, "59 min 59 s"}, {3600000, "1 h 0 min"}, {90000000, "25 h 0 min"}};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *text = timeline_duration(rows[i].ms * 1000000);
		g_assert_cmpstr(text, ==, rows[i].text);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/timeline/critical-inputs", test_critical_inputs);
	g_test_add_func("/timeline/critical-without-inputs", test_critical_without_inputs);
	g_test_add_func("/timeline/cycle", test_cycle);
	g_test_add_func("/timeline/states", test_states);
	g_test_add_func("/timeline/phases", test_phases);
	g_test_add_func("/timeline/log", test_log);
	g_test_add_func("/timeline/log-limit", test_log_limit);
	g_test_add_func("/timeline/miss", test_miss);
	g_test_add_func("/timeline/durations", test_durations);
	return g_test_run();
}
