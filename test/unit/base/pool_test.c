/* SPDX-License-Identifier: Apache-2.0 */
/* A pool loses no item, even if threads cannot be started. */
#include "base/pool.h"
#include "base/thread.h"
#include "lib/outcome.h"

struct load {
	GMutex mu;
	GCond changed;
	unsigned done, running, most;
	bool held; /* items wait until this is false */
};

static void run(void *item, void *data)
{
	struct load *w = data;
	g_mutex_lock(&w->mu);
	w->running++;
	w->most = MAX(w->most, w->running);
	g_cond_broadcast(&w->changed);
	while (w->held)
		g_cond_wait(&w->changed, &w->mu);
	w->running--;
	w->done++;
	g_cond_broadcast(&w->changed);
	g_mutex_unlock(&w->mu);
}

static void wait_running(struct load *w, unsigned n)
{
	g_mutex_lock(&w->mu);
	while (w->running < n)
		g_cond_wait(&w->changed, &w->mu);
	g_mutex_unlock(&w->mu);
}

static void release(struct load *w)
{
	g_mutex_lock(&w->mu);
	w->held = false;
	g_cond_broadcast(&w->changed);
	g_mutex_unlock(&w->mu);
}

/* Threads of a pool end shortly after it. */
static void all_gone(void)
{
	/* Nothing reports the end of a detached thread. */
	while (thread_count() > 0)
		g_usleep(1000);
}

static void test_all_run(void)
{
	struct load w = {0};
	pool *p = pool_new("test", 4, run, &w);
	for (int i = 0; i < 1000; i++)
		assert_succeeds(pool_push(p, NULL, &failure));
	pool_free(p);
	all_gone();
	g_assert_cmpuint(w.done, ==, 1000);
	g_assert_cmpuint(w.most, <=, 4);
}

static void test_grows_to_max(void)
{
	struct load w = {.held = true};
	pool *p = pool_new("test", 3, run, &w);
	for (int i = 0; i < 10; i++)
		assert_succeeds(pool_push(p, NULL, &failure));
	wait_running(&w, 3);
	g_assert_cmpuint(pool_threads(p), ==, 3);
	release(&w);
	pool_free(p);
	all_gone();
	g_assert_cmpuint(w.done, ==, 10);
	g_assert_cmpuint(w.most, ==, 3);
}

/* Only one thread can be started: items wait for it. */
static void test_cannot_grow(void)
{
	g_autoptr(GError) error = NULL;
	struct load w = {.held = true};
	thread_set_limit(1);
	pool *p = pool_new("test", 8, run, &w);
	g_assert_true(pool_keep(p, &error));
	g_assert_no_error(error);
	for (int i = 0; i < 100; i++)
		assert_succeeds(pool_push(p, NULL, &failure));
	wait_running(&w, 1);
	g_assert_false(pool_push_now(p, NULL, &error));
	g_assert_true(error_is(error, ERROR_RESOURCE_EXHAUSTED));
	release(&w);
	pool_free(p);
	all_gone();
	thread_set_limit(0);
	g_assert_cmpuint(w.done, ==, 100);
	g_assert_cmpuint(w.most, ==, 1);
}

/* Items pushed while no thread could be started get one later. */
static void test_grows_later(void)
{
	struct load w = {.held = true};
	thread_set_limit(1);
	pool *p = pool_new("test", 4, run, &w);
	assert_succeeds(pool_keep(p, &failure));
	for (int i = 0; i < 3; i++)
		assert_succeeds(pool_push(p, NULL, &failure));
	thread_set_limit(0);
	assert_succeeds(pool_push(p, NULL, &failure));
	wait_running(&w, 2);
	release(&w);
	pool_free(p);
	all_gone();
	g_assert_cmpuint(w.done, ==, 4);
}

static void test_no_thread_at_all(void)
{
	g_autoptr(GError) error = NULL;
	struct load busy = {.held = true}, w = {0};
	thread_set_limit(1);
	pool *other = pool_new("other", 1, run, &busy);
	assert_succeeds(pool_keep(other, &failure));
	pool *p = pool_new("test", 4, run, &w);
	g_assert_false(pool_keep(p, &error));
	g_clear_error(&error);
	g_assert_false(pool_push(p, NULL, &error));
	g_assert_true(error_is(error, ERROR_RESOURCE_EXHAUSTED));
	release(&busy);
	pool_free(other);
	all_gone();
	thread_set_limit(0);
	pool_free(p);
	all_gone();
	g_assert_cmpuint(w.done, ==, 0);
}

static void test_push_now(void)
{
	g_autoptr(GError) error = NULL;
	struct load w = {.held = true};
	pool *p = pool_new("test", 2, run, &w);
	g_assert_true(pool_push_now(p, NULL, &error));
	g_assert_true(pool_push_now(p, NULL, &error));
	g_assert_false(pool_push_now(p, NULL, &error));
	g_assert_cmpstr(error->message, ==, "all 2 threads for \"test\" are in use");
	release(&w);
	pool_free(p);
	all_gone();
	g_assert_cmpuint(w.done, ==, 2);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/pool/all-run", test_all_run);
	g_test_add_func("/pool/grows-to-max", test_grows_to_max);
	g_test_add_func("/pool/cannot-grow", test_cannot_grow);
	g_test_add_func("/pool/grows-later", test_grows_later);
	g_test_add_func("/pool/no-thread-at-all", test_no_thread_at_all);
	g_test_add_func("/pool/push-now", test_push_now);
	return g_test_run();
}
