/* SPDX-License-Identifier: Apache-2.0 */
#include "os/service.h"
#include "lib/outcome.h"
#include "os/tree.h"
#include "base/scope.h"
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

static void test_notify(void)
{
	g_autofree char *top = g_dir_make_tmp("service-test-XXXXXX", NULL);
	g_autofree char *path = g_build_filename(top, "notify", NULL);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	g_strlcpy(address.sun_path, path, sizeof address.sun_path);
	scoped_fd fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	g_assert_cmpint(bind(fd, (const struct sockaddr *)&address, sizeof address), ==, 0);
	g_unsetenv("NOTIFY_SOCKET");
	g_setenv("WATCHDOG_USEC", "3000000", TRUE);
	service_begin();
	g_assert_false(service_notify("READY=1"));
	g_assert_cmpint(service_watchdog_us(), ==, 0); /* there is no socket */
	g_setenv("NOTIFY_SOCKET", path, TRUE);
	g_setenv("WATCHDOG_USEC", "3000000", TRUE);
	service_begin();
	g_assert_null(g_getenv("NOTIFY_SOCKET")); /* not for children */
	g_assert_null(g_getenv("WATCHDOG_USEC"));
	g_assert_cmpint(service_watchdog_us(), ==, 3000000);
	g_setenv("NOTIFY_SOCKET", path, TRUE);
	g_setenv("WATCHDOG_USEC", "3000000", TRUE);
	g_setenv("WATCHDOG_PID", "1", TRUE);
	service_begin();
	g_assert_cmpint(service_watchdog_us(), ==, 0); /* set for another process */
	g_assert_true(service_notify("READY=1"));
	char text[16] = "";
	g_assert_cmpint(recv(fd, text, sizeof text - 1, 0), ==, 7);
	g_assert_cmpstr(text, ==, "READY=1");
	tree_remove_at(AT_FDCWD, top, NULL);
}

static void test_listen_fds(void)
{
	size_t n = 5;
	g_setenv("LISTEN_PID", "1", TRUE);
	g_setenv("LISTEN_FDS", "1", TRUE);
	g_assert_null(service_listen_fds(&n)); /* for another process */
	g_assert_cmpuint(n, ==, 0);
	g_assert_null(g_getenv("LISTEN_FDS"));
	g_autofree char *pid = g_strdup_printf("%d", getpid());
	g_setenv("LISTEN_PID", pid, TRUE);
	g_setenv("LISTEN_FDS", "2", TRUE);
	g_autofree int *fds = service_listen_fds(&n);
	g_assert_cmpuint(n, ==, 2);
	g_assert_cmpint(fds[0], ==, 3);
	g_assert_cmpint(fds[1], ==, 4);
	g_setenv("LISTEN_PID", pid, TRUE);
	g_setenv("LISTEN_FDS", "many", TRUE);
	g_assert_null(service_listen_fds(&n));
}

static void test_machine(void)
{
	int64_t total, available;
	g_assert_cmpuint(strlen(machine_boot_id()), >, 5);
	scoped_fd fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_succeeds(disk_space(fd, &total, &available, &failure));
	g_assert_cmpint(total, >=, available);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/service/notify", test_notify);
	g_test_add_func("/service/listen-fds", test_listen_fds);
	g_test_add_func("/service/machine", test_machine);
	return g_test_run();
}
