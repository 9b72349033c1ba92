/* SPDX-License-Identifier: Apache-2.0 */
/* Random graphs, several builds at once, cancellations, lost results: whatever way a result is got, it is the right
 * one. */
#include "mock.c" /* a test is one program of one file */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <unistd.h>

#define VERTICES 10
#define ROUNDS 6
#define BUILDS 3

struct one_build {
	struct mock *mock;
	struct mock_vertex *target;
	int64_t index;
	unsigned number;
	guint cancel_after_us; /* 0: not */
};

/* Some keys always fail. */
static bool key_fails(const char *key)
{
	return strstr(key, "k6") != NULL;
}

static bool must_fail(const struct mock_vertex *v, GHashTable *seen)
{
	if (!g_hash_table_add(seen, (gpointer)v))
		return false;
	if (v->fail_exec)
		return true;
	for (size_t i = 0; i < v->n_inputs; i++)
		if (must_fail(v->inputs[i], seen))
			return true;
	return false;
}

static void vertex_change(GRand *r, struct mock_vertex *v, unsigned round)
{
	g_autofree char *key = g_strdup_printf("k%d-%zu", g_rand_int_range(r, 0, 7), v->n_inputs);
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
	g_clear_pointer(&v->fail_exec, g_free);
	if (key_fails(key))
		v->fail_exec = g_strdup("bad");
	v->ignore_cache = g_rand_int_range(r, 0, 6) == 0;
	v->delay_us = (unsigned)g_rand_int_range(r, 0, 300);
}

static void vertex_make(GRand *r, struct mock *m, int n)
{
	g_autofree char *name = g_strdup_printf("v%d", n);
	struct mock_vertex *v = mock_vertex_add(m, name);
	for (int i = 0; i < n && v->n_inputs < 3; i++) {
		if (g_rand_int_range(r, 0, n) > 2)
			continue;
		struct mock_vertex *in = m->vertices->pdata[i];
		v->input_index[v->n_inputs] = in->outputs > 1 ? g_rand_int_range(r, 0, 2) : 0;
		v->content[v->n_inputs] = g_rand_boolean(r);
		v->inputs[v->n_inputs++] = in;
	}
	v->outputs = g_rand_int_range(r, 0, 4) == 0 ? 2 : 1;
	v->pure = g_rand_boolean(r);
	v->slot = g_rand_boolean(r);
	v->random = v->n_inputs == 0 && g_rand_int_range(r, 0, 3) == 0;
	vertex_change(r, v, 0);
}

static gpointer cancel_later(gpointer data)
{
	cancel *c = data;
	g_usleep(100);
	cancel_set(c, ERROR_CANCELED, NULL);
	cancel_unref(c);
	return NULL;
}

static gpointer build_run(gpointer data)
{
	struct one_build *b = data;
	g_autoptr(GError) error = NULL;
	g_autoptr(progress_log) log = progress_log_new();
	g_autoptr(cancel) c = cancel_new(NULL);
	g_autofree char *id = g_strdup_printf("job%u", b->number);
	g_autofree char *value = NULL, *right = mock_reference(b->target, b->index);
	solver_job *job = solver_job_new(b->mock->solver, id, NULL, log, &error);
	g_assert_no_error(error);
	GThread *canceler = NULL;
	if (b->cancel_after_us)
		canceler = g_thread_new("cancel", cancel_later, cancel_ref(c));
	bool ok = mock_build(b->mock, job, b->target->name, b->index, c, &value, &error);
	g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
	if (ok)
		g_assert_cmpstr(value, ==, right);
	else if (must_fail(b->target, seen))
		g_assert_true(strcmp(error->message, "bad") == 0 || (canceler && error_is(error, ERROR_CANCELED)));
	else
		g_assert_true(canceler && error_is(error, ERROR_CANCELED));
	solver_job_free(job);
	if (canceler)
		g_thread_join(canceler);
	return NULL;
}

static void wait_idle(struct mock *m)
{
	for (int i = 0; solver_get_stats(m->solver).vertices > 0; i++) {
		g_assert_cmpint(i, <, 20000);
		g_usleep(500);
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

static void play(guint32 seed, int root_fd)
{
	g_autoptr(GRand) r = g_rand_new_with_seed(seed);
	struct mock *m = mock_new(root_fd);
	for (int n = 0; n < VERTICES; n++)
		vertex_make(r, m, n);
	unsigned number = 0;
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct one_build builds[BUILDS];
		GThread *threads[BUILDS];
		for (size_t i = 0; i < BUILDS; i++) {
			struct mock_vertex *target = m->vertices->pdata[g_rand_int_range(r, VERTICES / 2, VERTICES)];
			builds[i] = (struct one_build){.mock = m,
						       .target = target,
						       .number = number++,
						       .index = target->outputs > 1 ? g_rand_int_range(r, 0, 2) : 0,
						       .cancel_after_us = g_rand_int_range(r, 0, 4) == 0 ? 100 : 0};
			threads[i] = g_thread_new("build", build_run, &builds[i]);
		}
		for (size_t i = 0; i < BUILDS; i++)
			g_thread_join(threads[i]);
		wait_idle(m);
		if (round % 2 == 1)
			lose_some(r, m);
		if (round == 3)
			mock_restart(m, root_fd);
		vertex_change(r, m->vertices->pdata[g_rand_int_range(r, 0, VERTICES)], round);
	}
	mock_free(m);
}

static void test_random(void)
{
	guint32 seeds = g_test_slow() ? 2000 : 25;
	const char *only = g_getenv("SOLVER_SEED");
	for (guint32 seed = 1; seed <= seeds; seed++) {
		g_autofree char *root = g_dir_make_tmp("solver-XXXXXX", NULL);
		int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		guint32 used = only ? (guint32)g_ascii_strtoull(only, NULL, 10) : seed;
		g_test_message("seed %u", used);
		play(used, fd);
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
	g_test_add_func("/random/same-as-reference", test_random);
	return g_test_run();
}
