/* SPDX-License-Identifier: Apache-2.0 */
#include "base/time.h"
#include <glib.h>

static void test_timespec(void)
{
	static const struct {
		int64_t ns, s, rest;
	} rows[] = {{0, 0, 0},
		    {1, 0, 1},
		    {NS_PER_S, 1, 0},
		    {1500000000600000000, 1500000000, 600000000},
		    {-1, -1, 999999999},
		    {-NS_PER_S, -1, 0},
		    {-NS_PER_S - 1, -2, 999999999}};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct timespec t = timespec_from_ns(rows[i].ns);
		g_assert_cmpint(t.tv_sec, ==, rows[i].s);
		g_assert_cmpint(t.tv_nsec, ==, rows[i].rest);
		g_assert_cmpint(timespec_to_ns(&t), ==, rows[i].ns);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/time/timespec", test_timespec);
	return g_test_run();
}
