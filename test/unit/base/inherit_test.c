/* SPDX-License-Identifier: Apache-2.0 */
#include "base/inherit.h"
#include "base/pool.h"
#include "base/thread.h"

struct object {
	inherited base;
	int freed;
};

static void object_free(inherited *o)
{
	((struct object *)o)->freed++;
}

static gpointer see(gpointer data)
{
	*(inherited **)data = inherit_get();
	return NULL;
}

static void test_threads_inherit(void)
{
	struct object o = {.base = {.refs = 1, .free = object_free}};
	inherited *seen = NULL;
	g_assert_null(inherit_replace(inherited_ref(&o.base)));
	GThread *t = thread_start("test", see, &seen, NULL);
	g_thread_join(t);
	g_assert_true(seen == &o.base);
	inherited_unref(inherit_replace(NULL));
	g_assert_cmpint(o.freed, ==, 0);
	inherited_unref(&o.base);
	g_assert_cmpint(o.freed, ==, 1);
}

static void see_in_pool(void *item, void *data)
{
	see(data);
}

static void test_pools_do_not(void)
{
	struct object o = {.base = {.refs = 1, .free = object_free}};
	inherited *seen = &o.base;
	inherit_replace(inherited_ref(&o.base));
	pool *p = pool_new("test", 1, see_in_pool, &seen);
	g_assert_true(pool_push(p, &o, NULL));
	pool_free(p);
	g_assert_null(seen);
	inherited_unref(inherit_replace(NULL));
	inherited_unref(&o.base);
	g_assert_cmpint(o.freed, ==, 1);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/inherit/threads", test_threads_inherit);
	g_test_add_func("/inherit/pools", test_pools_do_not);
	return g_test_run();
}
