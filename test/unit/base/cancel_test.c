/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cancel.h"
#include <poll.h>

static void count(void *data)
{
	++*(int *)data;
}

static void test_parent_sets_child(void)
{
	int calls = 0;
	g_autoptr(cancel) parent = cancel_new(NULL);
	g_autoptr(cancel) child = cancel_new(parent);
	g_assert_cmpuint(cancel_add(child, count, &calls), >, 0);
	guint removed = cancel_add(child, count, &calls);
	cancel_remove(child, removed);
	struct pollfd p = {.fd = cancel_fd(child), .events = POLLIN};
	g_assert_cmpint(poll(&p, 1, 0), ==, 0);
	cancel_set(parent, ERROR_DEADLINE_EXCEEDED, "too late");
	cancel_set(parent, ERROR_CANCELED, NULL);
	g_assert_cmpint(calls, ==, 1);
	g_assert_cmpint(poll(&p, 1, 0), ==, 1);
	g_autoptr(GError) error = NULL;
	g_assert_false(cancel_check(child, &error));
	g_assert_true(error_is(error, ERROR_DEADLINE_EXCEEDED));
	g_assert_cmpuint(cancel_add(child, count, &calls), ==, 0);
	g_assert_cmpint(calls, ==, 2);
}

static void test_null_is_never_set(void)
{
	g_assert_true(cancel_check(NULL, NULL));
	g_assert_cmpint(cancel_fd(NULL), ==, -1);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/cancel/parent-sets-child", test_parent_sets_child);
	g_test_add_func("/cancel/null-is-never-set", test_null_is_never_set);
	return g_test_run();
}
