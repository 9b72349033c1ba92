/* SPDX-License-Identifier: Apache-2.0 */
/* Behaviour of the solver that builds see besides results: events, error details, jobs, and cost. */
#include "lib/solver_mock.h"
#include "solver/resources.h"
#include "api/guard.h"

struct run {
	progress_log *log;
	solver_job *job;
	char *value;
	GError *error;
};

static bool run(struct run *r, struct mock *m, const char *id, const char *target)
{
	*r = (struct run){.log = progress_log_new()};
	g_autoptr(GError) error = NULL;
	r->job = solver_job_new(
		m->solver, &(struct solver_job_options){.id = id, .log = r->log, .load = mock_load, .load_data = m},
		&error);
	g_assert_no_error(error);
	return mock_build(m, r->job, target, 0, NULL, &r->value, &r->error);
}

static void run_clear(struct run *r)
{
	solver_job_free(r->job);
	progress_log_unref(r->log);
	g_clear_error(&r->error);
	g_free(r->value);
}

/* Vertex events by name: "a:start a:done b:done(cached)", announcements left out. */
static char *events(struct mock *m, struct run *r)
{
	progress_log_close(r->log);
	g_autoptr(progress_reader) reader = progress_reader_new(r->log, NULL);
	GString *s = g_string_new(NULL);
	for (;;) {
		g_autoptr(GPtrArray) batch = progress_reader_next(reader, 0);
		if (!batch)
			break;
		for (guint i = 0; i < batch->len; i++) {
			const struct progress_event *e = batch->pdata[i];
			if (e->type != PROGRESS_VERTEX || e->v.started_ns == 0)
				continue;
			const struct mock_vertex *v = g_hash_table_lookup(m->by_digest, e->vertex);
			g_string_append_printf(s, "%s%s:%s%s%s%s", s->len ? " " : "", v ? v->name : e->v.name,
					       e->v.completed_ns ? "done" : "start", e->v.cached ? "(cached)" : "",
					       e->v.error ? "!" : "", e->v.error ? e->v.error : "");
		}
	}
	return g_string_free(s, FALSE);
}

static void expect_events(struct mock *m, struct run *r, const char *want)
{
	g_autofree char *got = events(m, r);
	g_assert_cmpstr(got, ==, want);
}

static struct mock_vertex *chain(struct mock *m, unsigned n)
{
	struct mock_vertex *last = mock_vertex_add(m, "v0");
	for (unsigned i = 1; i <= n; i++) {
		g_autofree char *name = g_strdup_printf("v%u", i);
		struct mock_vertex *v = mock_vertex_add(m, name);
		v->inputs[0] = last;
		v->n_inputs = 1;
		v->pure = true;
		last = v;
	}
	return last;
}

/* A source reports its key and its snapshot, each with whether it is cached. */
static void test_events(void)
{
	struct mock *m = mock_new(-1);
	chain(m, 2);
	struct run r;
	g_assert_true(run(&r, m, "j1", "v2"));
	expect_events(m, &r, "v0:start v0:done v0:start v0:done v1:start v1:done v2:start v2:done");
	run_clear(&r);
	g_assert_true(run(&r, m, "j2", "v2"));
	expect_events(m, &r, "v0:start v0:done v1:done(cached) v2:start(cached) v2:done(cached)");
	run_clear(&r);
	mock_free(m);
}

static void test_events_of_failures(void)
{
	struct mock *m = mock_new(-1);
	struct mock_vertex *v = chain(m, 1);
	v->fail_exec = g_strdup("bad");
	struct run r;
	g_assert_false(run(&r, m, "j1", "v1"));
	g_assert_cmpstr(r.error->message, ==, "bad");
	expect_events(m, &r, "v0:start v0:done v0:start v0:done v1:start v1:done!bad");
	run_clear(&r);
	g_clear_pointer(&v->fail_exec, g_free);
	((struct mock_vertex *)m->vertices->pdata[0])->fail_map = g_strdup("no");
	g_assert_false(run(&r, m, "j2", "v1"));
	g_assert_cmpstr(r.error->message, ==, "failed to load cache key: no");
	expect_events(m, &r, "v0:start v0:done!no");
	run_clear(&r);
	mock_free(m);
}

static gpointer open_when_asked_for_key(gpointer data)
{
	struct mock_vertex *v = data;
	/* The mock counts keys; it reports none. */
	while (g_atomic_int_get(&v->n_content) == 0)
		g_usleep(500);
	mock_open_gate(v->mock, "a");
	return NULL;
}

/* A key that is computed when it is no longer needed: its vertex neither started nor failed. */
static void test_events_of_unwanted_key(void)
{
	struct mock *m = mock_new(-1);
	struct mock_vertex *v1 = chain(m, 1), *fails = mock_vertex_add(m, "a"), *top = mock_vertex_add(m, "top");
	v1->pure = false;
	v1->content[0] = true;
	v1->content_gate = g_strdup("never");
	fails->gate = g_strdup("a");
	fails->fail_exec = g_strdup("bad");
	top->inputs[0] = v1;
	top->inputs[1] = fails;
	top->n_inputs = 2;
	GThread *opener = g_thread_new("opener", open_when_asked_for_key, v1);
	struct run r;
	g_assert_false(run(&r, m, "j1", "top"));
	g_thread_join(opener);
	g_assert_cmpstr(r.error->message, ==, "bad");
	/* The statistics of the solver report no change. */
	while (solver_get_stats(m->solver).running > 0) /* the key's task notices the cancellation */
		g_usleep(500);
	g_autofree char *got = events(m, &r);
	g_assert_null(strstr(got, "v1:"));
	g_assert_nonnull(strstr(got, "a:done!bad"));
	run_clear(&r);
	mock_free(m);
}

/* The digest in the details is that of the definition, not of the ignore-cache twin. */
static void test_error_details(void)
{
	struct mock *m = mock_new(-1);
	struct mock_vertex *v = chain(m, 1);
	struct run keep, r;
	g_assert_true(run(&keep, m, "keep", "v1"));
	v->ignore_cache = true;
	v->fail_exec = g_strdup("bad");
	g_assert_false(run(&r, m, "j", "v1"));
	const GPtrArray *details = error_get_details(r.error);
	g_assert_nonnull(details);
	const struct error_detail *vertex = details->pdata[0];
	g_assert_cmpstr(vertex->type, ==, "errdefs.Vertex");
	g_autoptr(llb_definition) d = mock_definition(m, "v1", 0);
	int64_t index;
	g_autofree char *want = g_strdup_printf("{\"digest\":\"%s\"}", llb_definition_result(d, &index)->digest.text);
	g_assert_cmpstr(vertex->json, ==, want);
	run_clear(&r);
	run_clear(&keep);
	mock_free(m);
}

static bool side_vertex(void *data, struct work *work, GError **error)
{
	progress_status(work->progress, &(struct progress_status){.id = "exporting layers"});
	return error_set(error, ERROR_UNKNOWN, "no room");
}

static void test_jobs(void)
{
	struct mock *m = mock_new(-1);
	chain(m, 1);
	struct run r;
	g_assert_true(run(&r, m, "j", "v1"));
	g_autoptr(GError) error = NULL;
	g_assert_null(solver_job_new(m->solver, &(struct solver_job_options){.id = "j"}, &error));
	g_assert_cmpstr(error->message, ==, "job ID j exists");
	g_clear_error(&error);
	g_assert_false(solver_job_run_vertex(r.job, "sha256:x", "exporting", NULL, side_vertex, NULL, &error));
	g_assert_cmpstr(error->message, ==, "no room");
	g_autoptr(progress_sink) sink = solver_job_find_sink(r.job, "sha256:x");
	g_assert_nonnull(sink);
	g_assert_null(solver_job_find_sink(r.job, "sha256:y"));
	g_autoptr(llb_definition) d = mock_definition(m, "v1", 0);
	int64_t index;
	g_autoptr(progress_sink) of_vertex = solver_job_find_sink(r.job, llb_definition_result(d, &index)->digest.text);
	g_assert_nonnull(of_vertex);
	g_assert_cmpuint(solver_get_stats(m->solver).jobs, ==, 1);
	g_assert_cmpuint(solver_get_stats(m->solver).vertices, ==, 2);
	run_clear(&r);
	mock_free(m);
}

/* Ops receive the compatibility version of their build. */
static void test_compat_version(void)
{
	struct mock *m = mock_new(-1);
	chain(m, 1);
	struct run r = {.log = progress_log_new()};
	r.job = solver_job_new(m->solver, &(struct solver_job_options){.id = "j", .log = r.log, .compat_version = 10},
			       NULL);
	g_assert_true(mock_build(m, r.job, "v1", 0, NULL, &r.value, &r.error));
	g_assert_cmpint(mock_vertex_find(m, "v1")->compat_version, ==, 10);
	g_assert_cmpint(mock_vertex_find(m, "v1")->compat_conflict, ==, 0);
	run_clear(&r);
	mock_free(m);
}

static void test_resources(void)
{
	Pb__LinuxResources a = PB__LINUX_RESOURCES__INIT, b = PB__LINUX_RESOURCES__INIT;
	a.memory = 100;
	b.memory = 200;
	a.memoryswap = -1;
	b.memoryswap = 5;
	a.cpushares = 0;
	b.cpushares = 7;
	a.cpuquota = 50;
	a.cpuperiod = 100;
	b.cpuquota = 30;
	b.cpuperiod = 50;
	a.cpusetcpus = (char *)"0-2,5";
	b.cpusetcpus = (char *)"3";
	a.cpusetmems = (char *)"0";
	Pb__LinuxResources *r = resources_relax(&a, &b);
	g_assert_cmpint(r->memory, ==, 200);
	g_assert_cmpint(r->memoryswap, ==, -1);
	g_assert_cmpuint(r->cpushares, ==, 7);
	g_assert_cmpint(r->cpuquota, ==, 30);
	g_assert_cmpuint(r->cpuperiod, ==, 50);
	g_assert_cmpstr(r->cpusetcpus, ==, "0-3,5");
	g_assert_cmpstr(r->cpusetmems, ==, "");
	guard_free(r);
	a.memory = 0;
	b.cpusetcpus = (char *)"x";
	r = resources_relax(&a, &b);
	g_assert_cmpint(r->memory, ==, 0);
	g_assert_cmpstr(r->cpusetcpus, ==, "0-2,5");
	guard_free(r);
}

static double build_ms(struct mock *m, const char *id, const char *target)
{
	struct run r;
	gint64 start = g_get_monotonic_time();
	g_assert_true(run(&r, m, id, target));
	double ms = (double)(g_get_monotonic_time() - start) / 1000;
	run_clear(&r);
	return ms;
}

/* A fully cached build of 20 steps needs almost no solver time. */
static void test_cached_chain_is_cheap(void)
{
	struct mock *m = mock_new(-1);
	chain(m, 20);
	build_ms(m, "first", "v20");
	mock_reset_counts(m);
	double best = 1e9;
	for (int i = 0; i < 20; i++) {
		g_autofree char *id = g_strdup_printf("j%d", i);
		best = MIN(best, build_ms(m, id, "v20"));
	}
	for (guint i = 0; i < m->vertices->len; i++)
		g_assert_cmpint(((struct mock_vertex *)m->vertices->pdata[i])->n_exec, ==, 0);
	g_test_message("cached chain of 20: %.2f ms with marshal and load", best);
	g_assert_cmpfloat(best, <, 20);
	mock_free(m);
}

/* Many vertices, each with up to four inputs: no recursion, no exponential walks. */
static void test_huge_graph(void)
{
	enum { N = 3000 };
	struct mock *m = mock_new(-1);
	g_autoptr(GRand) r = g_rand_new_with_seed(7);
	for (int i = 0; i < N; i++) {
		g_autofree char *name = g_strdup_printf("v%d", i);
		struct mock_vertex *v = mock_vertex_add(m, name);
		v->pure = true;
		for (int k = 0; k < 4 && i > 4; k++) {
			struct mock_vertex *in =
				m->vertices->pdata[i - 1 - k - (k > 1 ? g_rand_int_range(r, 0, i - 1 - k) : 0)];
			bool known = false;
			for (size_t j = 0; j < v->n_inputs; j++)
				known |= v->inputs[j] == in;
			if (!known)
				v->inputs[v->n_inputs++] = in;
		}
	}
	g_autofree char *last = g_strdup_printf("v%d", N - 1);
	double cold = build_ms(m, "cold", last);
	double warm = build_ms(m, "warm", last);
	g_test_message("graph of %d: %.0f ms run, %.0f ms cached", (int)N, cold, warm);
	g_assert_cmpint(((struct mock_vertex *)m->vertices->pdata[N - 1])->n_load, ==, 1);
	mock_free(m);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/solver/events", test_events);
	g_test_add_func("/solver/events-of-failures", test_events_of_failures);
	g_test_add_func("/solver/events-of-unwanted-key", test_events_of_unwanted_key);
	g_test_add_func("/solver/error-details", test_error_details);
	g_test_add_func("/solver/jobs", test_jobs);
	g_test_add_func("/solver/compat-version", test_compat_version);
	g_test_add_func("/solver/resources", test_resources);
	g_test_add_func("/solver/cached-chain-is-cheap", test_cached_chain_is_cheap);
	g_test_add_func("/solver/huge-graph", test_huge_graph);
	return g_test_run();
}
