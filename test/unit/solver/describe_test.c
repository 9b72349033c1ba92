/* SPDX-License-Identifier: Apache-2.0 */
/* What the solver says about work that runs, waits for a slot, or is not there. */
#include "solver/describe.h"
#include "lib/solver_mock.h"
#include "base/thread.h"
#include <string.h>

struct build {
	struct mock *mock;
	solver_job *job;
	const char *target;
	char *value;
};

static gpointer run(gpointer data)
{
	struct build *b = data;
	g_autoptr(GError) error = NULL;
	g_assert_true(mock_build(b->mock, b->job, b->target, 0, NULL, &b->value, &error));
	g_assert_no_error(error);
	return NULL;
}

static GPtrArray *waits(struct mock *m)
{
	g_autoptr(GError) error = NULL;
	GPtrArray *list = solver_list_waits(m->solver, 60000, &error);
	g_assert_no_error(error);
	return list;
}

static void test_idle(void)
{
	struct mock *m = mock_new(-1);
	g_autoptr(GPtrArray) list = waits(m);
	g_assert_cmpuint(list->len, ==, 0);
	g_autofree char *text = solver_describe_graph(m->solver, 60000, NULL);
	g_assert_true(g_str_has_prefix(text, "0 vertices, 0 work items running, 0 waiting"));
	mock_free(m);
}

static void test_running(void)
{
	struct mock *m = mock_new(-1);
	struct mock_vertex *a = mock_vertex_add(m, "a"), *b = mock_vertex_add(m, "b");
	a->gate = g_strdup("open");
	b->inputs[0] = a;
	b->n_inputs = 1;
	g_autoptr(GError) error = NULL;
	struct build build = {.mock = m, .target = "b"};
	build.job = solver_job_new(m->solver, &(struct solver_job_options){.id = "job1"}, &error);
	g_assert_no_error(error);
	g_autoptr(GThread) thread = thread_start("build", run, &build, &error);
	g_assert_no_error(error);
	/* Until a runs: the solver gets there by itself. */
	for (bool found = false; !found;) {
		g_autoptr(GPtrArray) list = waits(m);
		for (guint i = 0; i < list->len; i++) {
			const struct solver_waiting *w = list->pdata[i];
			g_assert_cmpstr(w->job, ==, "job1");
			found = found || (strcmp(w->step, "a") == 0 && strcmp(w->what, "running") == 0);
			g_assert_cmpint(w->duration_ns, >=, strcmp(w->what, "running") == 0 ? 0 : -1);
		}
	}
	g_autofree char *text = solver_describe_graph(m->solver, 60000, &error);
	g_assert_nonnull(strstr(text, "build job1\n  running for "));
	g_assert_nonnull(strstr(text, "wanted complete"));
	mock_open_gate(m, "open");
	g_thread_join(g_steal_pointer(&thread));
	g_free(build.value);
	solver_job_free(build.job);
	mock_free(m);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/describe/idle", test_idle);
	g_test_add_func("/describe/running", test_running);
	return g_test_run();
}
