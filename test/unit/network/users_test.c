/* SPDX-License-Identifier: Apache-2.0 */
#include "network/users.h"
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static network_users *join(const char *bridge)
{
	g_autoptr(GError) error = NULL;
	network_users *u = network_users_join(bridge, &error);
	g_assert_no_error(error);
	return u;
}

static void test_users(void)
{
	g_assert_false(network_bridge_is_used("b0"));
	network_users *a = join("b0"), *b = join("b0"), *other = join("b01");
	g_assert_true(network_bridge_is_used("b0"));
	g_assert_false(network_bridge_is_used("b"));
	g_assert_false(network_users_have_owner(b));
	g_assert_true(network_users_own(a, NULL));
	g_assert_false(network_users_have_owner(a)); /* only others count */
	g_assert_true(network_users_have_owner(b));
	g_assert_false(network_users_have_owner(other));
	g_assert_true(network_users_own(b, NULL));
	network_users_leave(a);
	g_assert_true(network_bridge_is_used("b0"));
	network_users_leave(b);
	g_assert_false(network_bridge_is_used("b0"));
	g_assert_true(network_bridge_is_used("b01"));
	network_users_leave(other);
	network_users_leave(NULL);
}

/* A name of the largest length fits. */
static void test_long_name(void)
{
	network_users *u = join("fifteen-letters");
	g_assert_true(network_users_own(u, NULL));
	network_users_leave(u);
}

/* A killed daemon uses nothing; another network namespace has its own bridges. */
static void test_processes(void)
{
	for (int separate = 0; separate < 2; separate++) {
		int ready[2];
		char byte;
		g_assert_cmpint(pipe(ready), ==, 0);
		pid_t pid = fork();
		if (pid == 0) {
			if (separate && unshare(CLONE_NEWNET) != 0)
				_exit(1);
			network_users *u = network_users_join("b0", NULL);
			if (!u || !network_users_own(u, NULL) || write(ready[1], "", 1) != 1)
				_exit(1);
			for (;;)
				pause();
		}
		close(ready[1]);
		g_assert_cmpint(read(ready[0], &byte, 1), ==, 1);
		close(ready[0]);
		g_assert_true(network_bridge_is_used("b0") == !separate);
		kill(pid, SIGKILL);
		g_assert_cmpint(waitpid(pid, NULL, 0), ==, pid);
		g_assert_false(network_bridge_is_used("b0"));
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	if (geteuid() != 0 || unshare(CLONE_NEWNET) != 0) {
		g_print("1..0 # SKIP needs root\n");
		return 0;
	}
	g_test_add_func("/network/network-users/users", test_users);
	g_test_add_func("/network/network-users/long-name", test_long_name);
	g_test_add_func("/network/network-users/processes", test_processes);
	return g_test_run();
}
