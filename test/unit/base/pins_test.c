/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pins.h"

struct answer {
	int refs;
};

static void *answer_ref(void *data)
{
	((struct answer *)data)->refs++;
	return data;
}

static void answer_unref(void *data)
{
	g_assert_cmpint(((struct answer *)data)->refs--, >, 0);
}

static const struct pin_class class = {answer_ref, answer_unref};

static void test_first_stays(void)
{
	struct answer a = {1}, b = {1};
	pins *one = pins_new();
	pins *const list[] = {one, NULL};
	g_assert_null(pins_find(list, "k"));
	g_assert_null(pins_find(NULL, "k"));
	g_assert_true(pins_agree(list, "k", &a, &class) == &a);
	g_assert_true(pins_agree(list, "k", &b, &class) == &a);
	g_assert_true(pins_agree(list, "other", &b, &class) == &b);
	g_assert_true(pins_agree(NULL, "k", &b, &class) == &b);
	g_assert_true(pins_find(list, "k") == &a);
	pins_close(one);
	g_assert_null(pins_find(list, "k"));
	g_assert_true(pins_agree(list, "k", &b, &class) == &b); /* the builds have ended */
	g_assert_null(pins_find(list, "k"));
	g_assert_cmpint(a.refs, ==, 4); /* ours and three results */
	g_assert_cmpint(b.refs, ==, 4);
	pins_unref(one);
}

/* A step that two builds share: the first build's answer is used for both, unless the other has an answer already. */
static void test_builds(void)
{
	struct answer a = {1}, b = {1}, c = {1};
	pins *one = pins_new(), *two = pins_new();
	pins *const first[] = {one, NULL}, *const second[] = {two, NULL}, *const both[] = {two, one, NULL};
	pins_agree(first, "k", &a, &class);
	g_assert_true(pins_agree(both, "k", &b, &class) == &a);
	g_assert_true(pins_find(second, "k") == &a);
	pins_agree(first, "x", &a, &class);
	pins_agree(second, "x", &b, &class);
	g_assert_true(pins_agree(both, "x", &c, &class) == &b);
	g_assert_true(pins_find(first, "x") == &a);
	pins_unref(one);
	pins_unref(two);
	g_assert_cmpint(c.refs, ==, 1);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/pins/first-stays", test_first_stays);
	g_test_add_func("/pins/builds", test_builds);
	return g_test_run();
}
