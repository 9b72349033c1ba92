/* SPDX-License-Identifier: Apache-2.0 */
#include "os/user_namespace.h"
#include <errno.h>

static void test_map(void)
{
	g_assert_false(user_namespace_map_is_limited("         0          0 4294967295\n"));
	g_assert_true(user_namespace_map_is_limited("         0       1000          1\n"));
	g_assert_true(user_namespace_map_is_limited("0 1000 1\n1 100000 65536\n"));
	g_assert_true(user_namespace_map_is_limited("1 1 4294967294\n"));
	g_assert_true(user_namespace_map_is_limited("no numbers"));
	g_assert_false(user_namespace_map_is_limited(""));
}

static void test_owner_error(void)
{
	g_autoptr(GError) error = NULL;
	g_assert_false(user_namespace_owner_error(&error, EPERM, 7, 8, "chown %s", "/x"));
	g_assert_cmpstr(error->message, ==, "chown /x: operation not permitted");
	g_clear_error(&error);
	g_assert_false(user_namespace_owner_error(&error, EINVAL, 7, 8, "chown %s", "/x"));
	g_assert_cmpstr(
		error->message, ==,
		user_namespace_is_limited()
			? "chown /x: uid 7 or gid 8 is not mapped in the user namespace (Hint: try increasing the "
			  "number of subordinate IDs in /etc/subuid and /etc/subgid)"
			: "chown /x: invalid argument");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/user_namespace/map", test_map);
	g_test_add_func("/user_namespace/owner_error", test_owner_error);
	return g_test_run();
}
