/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that cannot be started are errors, and work continues with the existing ones. */
#include "base/thread.h"
#include "lib/event.h"
#include <sys/resource.h>

static gpointer add_one(gpointer data)
{
	g_atomic_int_inc((gint *)data);
	return NULL;
}

static gpointer wait_for_event(gpointer data)
{
	event_wait(data, 1);
	return NULL;
}

static void test_start(void)
{
	g_autoptr(GError) error = NULL;
	gint n = 0;
	GThread *t = thread_start("one", add_one, &n, &error);
	g_assert_no_error(error);
	g_thread_join(t);
	g_assert_cmpint(n, ==, 1);
	g_assert_cmpuint(thread_count(), ==, 0);
}

static void test_limit(void)
{
	g_autoptr(GError) error = NULL;
	gint n = 0;
	struct event go_on = {0};
	thread_set_limit(1);
	GThread *t = thread_start("held", wait_for_event, &go_on, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(thread_count(), ==, 1);
	g_assert_null(thread_start("refused", add_one, &n, &error));
	g_assert_true(error_is(error, ERROR_RESOURCE_EXHAUSTED));
	g_assert_cmpstr(error->message, ==, "start thread \"refused\": the limit of 1 threads is reached");
	event_raise(&go_on);
	g_thread_join(t);
	g_clear_error(&error);
	t = thread_start("again", add_one, &n, &error);
	g_assert_no_error(error);
	g_thread_join(t);
	g_assert_cmpint(n, ==, 1);
	thread_set_limit(0);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
/*
 * The kernel refuses: no address space for a stack. Must run first, because the C library keeps stacks of ended
 * threads.
 */
static void test_kernel(void)
{
	struct rlimit before;
	g_assert_cmpint(getrlimit(RLIMIT_AS, &before), ==, 0);
	struct rlimit none = {1 << 20, before.rlim_max};
	g_autoptr(GError) error = NULL;
	gint n = 0;
	if (setrlimit(RLIMIT_AS, &none) != 0) {
		g_test_skip("RLIMIT_AS cannot be set");
		return;
	}
	GThread *t = thread_start("none", add_one, &n, &error);
	setrlimit(RLIMIT_AS, &before);
	g_assert_null(t);
	g_assert_true(error_is(error, ERROR_RESOURCE_EXHAUSTED));
	g_assert_nonnull(strstr(error->message, "start thread \"none\": "));
	g_assert_cmpuint(thread_count(), ==, 0);
}
#endif

struct pieces {
	gint done[100];
};

static void one_piece(void *data, size_t i)
{
	g_atomic_int_inc(&((struct pieces *)data)->done[i]);
}

static void each(size_t n, size_t max_threads)
{
	struct pieces p = {0};
	thread_each(n, max_threads, one_piece, &p);
	for (size_t i = 0; i < G_N_ELEMENTS(p.done); i++)
		g_assert_cmpint(p.done[i], ==, i < n);
	g_assert_cmpuint(thread_count(), ==, 0);
}

static void test_each(void)
{
	each(0, 4);
	each(1, 4);
	each(100, 1);
	each(100, 8);
	each(100, 100);
}

/* If no thread can be started, the caller runs all items. */
static void test_each_alone(void)
{
	struct event go_on = {0};
	thread_set_limit(1);
	GThread *t = thread_start("held", wait_for_event, &go_on, NULL);
	struct pieces p = {0};
	thread_each(100, 8, one_piece, &p);
	for (size_t i = 0; i < G_N_ELEMENTS(p.done); i++)
		g_assert_cmpint(p.done[i], ==, 1);
	event_raise(&go_on);
	g_thread_join(t);
	thread_set_limit(0);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	g_test_add_func("/thread/kernel", test_kernel);
#endif
	g_test_add_func("/thread/start", test_start);
	g_test_add_func("/thread/limit", test_limit);
	g_test_add_func("/thread/each", test_each);
	g_test_add_func("/thread/each-alone", test_each_alone);
	return g_test_run();
}
