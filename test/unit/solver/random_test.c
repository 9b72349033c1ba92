/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random graphs compared with a reference that only evaluates them: several builds at once, failures of keys, contents
 * and runs, delays, cancellations, lost results, restarts. Every result must be right however it was obtained; an error
 * must be one of a needed vertex; at the end no vertex, result or run remains.
 *
 *	random                     some hundreds of graphs
 *	random --graphs 10000      that many; SOLVER_SEED=N runs the graphs of one seed only
 */
#include "lib/solver_mock.h"
#include <fcntl.h>
#include <glib/gstdio.h>
#include <unistd.h>

#define VERTICES 10
#define ROUNDS 6 /* graphs per seed */
#define BUILDS 3

static guint n_graphs = 300;

struct one_build {
	struct mock *mock;
	struct mock_vertex *target;
	int64_t index;
	unsigned number;
	guint cancel_after_us; /* 0: never */
};

/* ---- graphs */

/*
 * Some keys always fail to run, so that they never have a result, and some always fail to read the content of inputs:
 * this applies to all vertices of a key, because equal ones are merged.
 */
static bool key_is(const char *key, const char *kind)
{
	return strstr(key, kind) != NULL;
}

static void vertex_wire(GRand *r, struct mock *m, struct mock_vertex *v, int n)
{
	v->n_inputs = 0;
	for (int i = 0; i < n && v->n_inputs < 3; i++) {
		if (g_rand_int_range(r, 0, n) > 2)
			continue;
		struct mock_vertex *in = m->vertices->pdata[i];
		v->input_index[v->n_inputs] = in->outputs > 1 ? g_rand_int_range(r, 0, 2) : 0;
		v->content[v->n_inputs] = g_rand_boolean(r);
		v->inputs[v->n_inputs++] = in;
	}
	v->random = v->n_inputs == 0 && g_rand_int_range(r, 0, 3) == 0;
}

static void set_failure(GRand *r, char **field, const char *text, bool really)
{
	g_clear_pointer(field, g_free);
	if (really)
		*field = g_strdup(text);
}

static void vertex_change(GRand *r, struct mock_vertex *v)
{
	g_autofree char *key = g_strdup_printf("k%d-%zu", g_rand_int_range(r, 0, 9), v->n_inputs);
	g_free(v->version);
	v->version = g_strdup_printf("%s-%d", key, g_rand_int_range(r, 0, 3));
	v->n_keys = 0;
	if (v->n_inputs == 0 && g_rand_boolean(r)) {
		g_autofree char *tag = g_strdup_printf("tag%s-%u", key, g_rand_int_range(r, 0, 2));
		mock_vertex_set_key(v, 0, tag);
		mock_vertex_set_key(v, 1, key);
	} else {
		mock_vertex_set_key(v, 0, key);
	}
	set_failure(r, &v->fail_exec, "bad", key_is(key, "k6"));
	set_failure(r, &v->fail_map, "unmapped", g_rand_int_range(r, 0, 40) == 0);
	set_failure(r, &v->fail_content, "unread", key_is(key, "k5"));
	v->ignore_cache = g_rand_int_range(r, 0, 6) == 0;
	v->delay_us = (unsigned)g_rand_int_range(r, 0, 300);
}

/* Reads the definition of an earlier vertex. */
static void vertex_nest(GRand *r, struct mock *m, struct mock_vertex *v, int n)
{
	const struct mock_vertex *target = m->vertices->pdata[g_rand_int_range(r, 0, n)];
	v->nest = g_strdup(target->name);
	v->outputs = 1;
}

static void vertex_make(GRand *r, struct mock *m, int n)
{
	g_autofree char *name = g_strdup_printf("v%d", n);
	struct mock_vertex *v = mock_vertex_add(m, name);
	v->outputs = g_rand_int_range(r, 0, 4) == 0 ? 2 : 1;
	v->pure = g_rand_boolean(r);
	v->slot = g_rand_boolean(r);
	if (n > 0 && g_rand_int_range(r, 0, 5) == 0)
		vertex_nest(r, m, v, n);
	vertex_wire(r, m, v, n);
	vertex_change(r, v);
}

/* The key of a vertex that reads a definition stands for the file in which it found that. */
static void nests_update(struct mock *m)
{
	for (guint i = 0; i < m->vertices->len; i++) {
		struct mock_vertex *v = m->vertices->pdata[i];
		if (!v->nest)
			continue;
		g_autofree char *text = mock_reference(mock_vertex_find(m, v->nest), 0);
		g_autofree char *key = g_strdup_printf("nest-%s-%s", v->nest, text);
		v->n_keys = 0;
		mock_vertex_set_key(v, 0, key);
		g_free(v->version);
		v->version = g_steal_pointer(&key);
		g_clear_pointer(&v->fail_exec, g_free);
		v->random = false;
	}
}

/* The next graph: some vertices are replaced, some get other inputs. */
static void graph_change(GRand *r, struct mock *m)
{
	int changes = g_rand_int_range(r, 1, 4);
	for (int i = 0; i < changes; i++) {
		int n = g_rand_int_range(r, 0, VERTICES);
		if (g_rand_int_range(r, 0, 3) == 0)
			vertex_wire(r, m, m->vertices->pdata[n], n);
		vertex_change(r, m->vertices->pdata[n]);
	}
	nests_update(m);
}

/* ---- the reference */

struct outlook {
	bool must_fail;  /* a failing key or run is needed regardless of the cache */
	bool may_fail;   /* content that cannot be read may not be needed */
	bool runs_again; /* it or one of its inputs ignores the cache */
};

static void outlook_of(const struct mock_vertex *v, GHashTable *seen, struct outlook *ret)
{
	if (!g_hash_table_add(seen, (gpointer)v))
		return;
	ret->must_fail |= v->fail_exec || v->fail_map;
	ret->may_fail |= v->fail_content != NULL;
	ret->runs_again |= v->ignore_cache;
	for (size_t i = 0; i < v->n_inputs; i++)
		outlook_of(v->inputs[i], seen, ret);
	if (!v->nest)
		return;
	struct outlook nested = {0}; /* not needed if the result is cached */
	outlook_of(mock_vertex_find(v->mock, v->nest), seen, &nested);
	ret->may_fail |= nested.must_fail || nested.may_fail;
	ret->runs_again |= nested.runs_again;
}

static bool known_failure(const GError *error)
{
	static const char *const texts[] = {"bad", "failed to load cache key: unmapped",
					    "failed to compute cache key: unread"};
	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
		if (strcmp(error->message, texts[i]) == 0)
			return true;
	return false;
}

/* ---- builds */

struct canceler {
	cancel *cancel; /* ref */
	guint after_us;
};

static gpointer cancel_later(gpointer data)
{
	struct canceler *c = data;
	/* Cancels at a random moment: time itself. */
	g_usleep(c->after_us);
	cancel_set(c->cancel, ERROR_CANCELED, NULL);
	return NULL;
}

static void check_build(const struct one_build *b, bool ok, const char *value, const GError *error)
{
	struct outlook outlook = {0};
	g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
	outlook_of(b->target, seen, &outlook);
	if (ok) {
		g_autofree char *right = mock_reference(b->target, b->index);
		g_assert_cmpstr(value, ==, right);
		g_assert_false(outlook.must_fail);
		return;
	}
	if (error_is(error, ERROR_CANCELED)) {
		g_assert_cmpuint(b->cancel_after_us, >, 0);
		return;
	}
	g_assert_true(outlook.must_fail || outlook.may_fail);
	g_assert_true(known_failure(error));
}

static gpointer build_run(gpointer data)
{
	struct one_build *b = data;
	g_autoptr(GError) error = NULL;
	g_autoptr(progress_log) log = progress_log_new();
	g_autoptr(cancel) c = cancel_new(NULL);
	g_autofree char *id = g_strdup_printf("job%u", b->number);
	g_autofree char *value = NULL;
	solver_job *job = solver_job_new(
		b->mock->solver,
		&(struct solver_job_options){.id = id, .log = log, .load = mock_load, .load_data = b->mock}, &error);
	g_assert_no_error(error);
	struct canceler canceler = {c, b->cancel_after_us};
	GThread *thread = b->cancel_after_us ? g_thread_new("cancel", cancel_later, &canceler) : NULL;
	bool ok = mock_build(b->mock, job, b->target->name, b->index, c, &value, &error);
	check_build(b, ok, value, error);
	solver_job_free(job);
	if (thread)
		g_thread_join(thread);
	return NULL;
}

/* Accounts for every vertex, every edge's result and every run. */
static void wait_idle(struct mock *m)
{
	for (int i = 0;; i++) {
		struct solver_stats stats = solver_get_stats(m->solver);
		if (stats.vertices == 0 && stats.running == 0 && stats.jobs == 0 && g_atomic_int_get(&m->live) == 0)
			return;
		g_assert_cmpint(i, <, 40000);
		/* The statistics of the solver report no change. */
		g_usleep(500);
	}
}

/*
 * Without failures, cancellations and ignored caches, no vertex ran twice. One with several outputs may: a build that begins
 * after the others have ended finds only the outputs that they used.
 */
static void check_runs(struct mock *m, const struct one_build *builds)
{
	struct outlook outlook = {0};
	g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
	for (size_t i = 0; i < BUILDS; i++) {
		outlook_of(builds[i].target, seen, &outlook);
		if (builds[i].cancel_after_us > 0 || outlook.must_fail || outlook.may_fail || outlook.runs_again)
			return;
	}
	for (guint i = 0; i < m->vertices->len; i++) {
		struct mock_vertex *v = m->vertices->pdata[i];
		g_assert_cmpint(g_atomic_int_get(&v->n_exec), <=, v->outputs);
	}
}

static void lose_some(GRand *r, struct mock *m)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&m->mu);
	GHashTableIter iter;
	gpointer id;
	g_hash_table_iter_init(&iter, m->stored);
	while (g_hash_table_iter_next(&iter, &id, NULL)) {
		int what = g_rand_int_range(r, 0, 6);
		if (what == 0)
			solver_forget_result(m->solver, id);
		if (what == 1)
			g_hash_table_add(m->broken, g_strdup(id));
		if (what <= 0 || what == 2)
			g_hash_table_iter_remove(&iter);
	}
}

static void play_round(GRand *r, struct mock *m, unsigned *number)
{
	struct one_build builds[BUILDS];
	GThread *threads[BUILDS];
	mock_reset_counts(m);
	for (size_t i = 0; i < BUILDS; i++) {
		struct mock_vertex *target = m->vertices->pdata[g_rand_int_range(r, VERTICES / 2, VERTICES)];
		builds[i] = (struct one_build){
			.mock = m,
			.target = target,
			.number = (*number)++,
			.index = target->outputs > 1 ? g_rand_int_range(r, 0, 2) : 0,
			.cancel_after_us = g_rand_int_range(r, 0, 4) == 0 ? (guint)g_rand_int_range(r, 1, 1500) : 0};
	}
	for (size_t i = 0; i < BUILDS; i++)
		threads[i] = g_thread_new("build", build_run, &builds[i]);
	for (size_t i = 0; i < BUILDS; i++)
		g_thread_join(threads[i]);
	wait_idle(m);
	check_runs(m, builds);
}

static void play(guint32 seed, int root_fd)
{
	g_autoptr(GRand) r = g_rand_new_with_seed(seed);
	struct mock *m = mock_new(root_fd);
	for (int n = 0; n < VERTICES; n++)
		vertex_make(r, m, n);
	nests_update(m);
	unsigned number = 0;
	for (unsigned round = 0; round < ROUNDS; round++) {
		play_round(r, m, &number);
		if (round % 2 == 1)
			lose_some(r, m);
		if (round == 3)
			mock_restart(m, root_fd);
		graph_change(r, m);
	}
	mock_free(m);
}

static void test_random(void)
{
	const char *only = g_getenv("SOLVER_SEED");
	guint32 first = only ? (guint32)g_ascii_strtoull(only, NULL, 10) : 1;
	guint32 last = only ? first : (n_graphs + ROUNDS - 1) / ROUNDS;
	for (guint32 seed = first; seed <= last; seed++) {
		g_autofree char *root = g_dir_make_tmp("solver-XXXXXX", NULL);
		int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		g_test_message("SOLVER_SEED=%u", seed);
		play(seed, fd);
		close(fd);
		static const char *const files[] = {"keys.db", "keys.db-wal", "keys.db-shm"};
		for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
			g_autofree char *path = g_build_filename(root, files[i], NULL);
			g_unlink(path);
		}
		g_rmdir(root);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	if (argc == 3 && strcmp(argv[1], "--graphs") == 0)
		n_graphs = (guint)MAX(g_ascii_strtoull(argv[2], NULL, 10), 1);
	g_test_add_func("/random/same-as-reference", test_random);
	return g_test_run();
}
