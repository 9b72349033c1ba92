/* SPDX-License-Identifier: Apache-2.0 */
#include "base/name_locks.h"
#include "lib/outcome.h"

enum { THREADS = 4, TURNS = 500 };

struct contest {
	name_locks *locks;
	int inside; /* guarded by the lock "x" */
	int turns;
};

static gpointer contend(gpointer data)
{
	struct contest *c = data;
	for (int i = 0; i < TURNS; i++) {
		assert_succeeds(name_locks_take(c->locks, "x", NULL, &failure));
		g_assert_cmpint(c->inside++, ==, 0);
		c->turns++;
		g_thread_yield();
		c->inside--;
		name_locks_release(c->locks, "x");
	}
	return NULL;
}

static void test_exclusion(void)
{
	struct contest c = {.locks = name_locks_new()};
	GThread *threads[THREADS];
	for (int i = 0; i < THREADS; i++)
		threads[i] = g_thread_new("contend", contend, &c);
	for (int i = 0; i < THREADS; i++)
		g_thread_join(threads[i]);
	g_assert_cmpint(c.turns, ==, THREADS * TURNS);
	name_locks_free(c.locks);
}

struct waiter {
	name_locks *locks;
	cancel *cancel;
	GError *error;
};

static gpointer wait_for_x(gpointer data)
{
	struct waiter *w = data;
	return GINT_TO_POINTER(name_locks_take(w->locks, "x", w->cancel, &w->error));
}

static void test_cancel(void)
{
	name_locks *locks = name_locks_new();
	g_autoptr(cancel) c = cancel_new(NULL);
	struct waiter w = {locks, c, NULL};
	assert_succeeds(name_locks_take(locks, "x", NULL, &failure));
	assert_succeeds(name_locks_take(locks, "y", NULL, &failure)); /* another name does not wait */
	name_locks_release(locks, "y");
	GThread *thread = g_thread_new("wait", wait_for_x, &w);
	cancel_set(c, ERROR_CANCELED, NULL);
	g_assert_false(GPOINTER_TO_INT(g_thread_join(thread)));
	g_assert_true(error_is(w.error, ERROR_CANCELED));
	g_clear_error(&w.error);
	name_locks_release(locks, "x");
	assert_succeeds(name_locks_take(locks, "x", NULL, &failure));
	name_locks_release(locks, "x");
	name_locks_free(locks);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/name_locks/exclusion", test_exclusion);
	g_test_add_func("/name_locks/cancel", test_cancel);
	return g_test_run();
}
