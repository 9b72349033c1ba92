/* SPDX-License-Identifier: Apache-2.0 */
#include "network/subnet.h"
#include "network/rtnetlink.h"
#include <sched.h>
#include <unistd.h>

static void assert_overlap(const char *subnet, const char *except, const char *expected)
{
	g_autofree char *text = network_overlap(subnet, except);
	g_assert_cmpstr(text, ==, expected);
}

static void test_overlap(void)
{
	static const char *const texts[] = {
		"",          "10.7.0.0", "10.7.0.0/",   "10.7.0.0/33", "10.7.0.0/-1", "10.7.0.0/8/8", "fd00:7::/129",
		"10.7.0/16", "x/8",      "10.7.0.0/16 "};
	g_assert_true(rtnetlink_add_veth("one", "two", NULL));
	g_assert_true(rtnetlink_add_address("one", "10.7.3.4/20", NULL));
	g_assert_true(rtnetlink_add_address("two", "fd00:7::1/64", NULL));
	assert_overlap("10.7.0.0/20", "x", "10.7.0.0/20 of one");
	assert_overlap("10.0.0.0/8", "x", "10.7.0.0/20 of one");
	assert_overlap("10.7.15.254/32", "x", "10.7.0.0/20 of one");
	assert_overlap("0.0.0.0/0", "x", "10.7.0.0/20 of one");
	assert_overlap("10.7.0.0/16", "one", NULL);
	assert_overlap("10.7.16.0/20", "x", NULL);
	assert_overlap("10.8.0.0/16", "x", NULL);
	assert_overlap("fd00:7::/32", "x", "fd00:7::/64 of two");
	assert_overlap("fd00:8::/32", "x", NULL);
	assert_overlap("fd00:7::/32", "two", NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
		assert_overlap(texts[i], "x", NULL);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	if (geteuid() != 0 || unshare(CLONE_NEWNET) != 0) {
		g_print("1..0 # SKIP needs root\n");
		return 0;
	}
	g_test_add_func("/network/subnet/overlap", test_overlap);
	return g_test_run();
}
