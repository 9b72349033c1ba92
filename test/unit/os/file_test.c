/* SPDX-License-Identifier: Apache-2.0 */
#include "os/file.h"
#include "base/scope.h"
#include <fcntl.h>
#include <glib.h>
#include <signal.h>
#include <string.h>

enum { BYTES = 1 << 20 };

static void *drain(void *data)
{
	const int *fd = data;
	static char buffer[BYTES];
	size_t n = 0;
	for (ssize_t got; (got = read(*fd, buffer + n, MIN(4096, BYTES - n))) > 0;)
		n += (size_t)got;
	for (size_t i = 0; i < n; i++)
		g_assert_cmpint(buffer[i], ==, (char)i);
	return GSIZE_TO_POINTER(n);
}

/* A pipe takes a part at a time. */
static void test_short_writes(void)
{
	int fds[2];
	g_autofree char *bytes = g_malloc(BYTES);
	for (size_t i = 0; i < BYTES; i++)
		bytes[i] = (char)i;
	g_assert_cmpint(pipe2(fds, O_CLOEXEC), ==, 0);
	GThread *reader = g_thread_new("drain", drain, &fds[0]);
	g_assert_true(file_write_all(fds[1], bytes, BYTES));
	close(fds[1]);
	g_assert_cmpuint(GPOINTER_TO_SIZE(g_thread_join(reader)), ==, BYTES);
	close(fds[0]);
}

static void test_failure(void)
{
	int fds[2];
	signal(SIGPIPE, SIG_IGN);
	g_assert_cmpint(pipe2(fds, O_CLOEXEC), ==, 0);
	close(fds[0]);
	g_assert_true(file_write_all(fds[1], "", 0));
	g_assert_false(file_write_all(fds[1], "x", 1));
	g_assert_cmpint(errno, ==, EPIPE);
	close(fds[1]);
	g_assert_false(file_write_all_at(fds[1], "x", 1, 0));
	scoped_fd full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	g_assert_false(file_write_all(full, "x", 1));
	g_assert_cmpint(errno, ==, ENOSPC);
}

static void test_at_offset(void)
{
	g_autofree char *path = NULL;
	char got[8] = "";
	scoped_fd fd = g_file_open_tmp("file-XXXXXX", &path, NULL);
	g_assert_true(file_write_all_at(fd, "end", 3, 3));
	g_assert_true(file_write_all_at(fd, "one", 3, 0));
	g_assert_cmpint(lseek(fd, 0, SEEK_CUR), ==, 0);
	g_assert_cmpint(read(fd, got, sizeof got), ==, 6);
	g_assert_cmpmem(got, 6, "oneend", 6);
	g_assert_cmpint(unlink(path), ==, 0);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/file/short-writes", test_short_writes);
	g_test_add_func("/file/failure", test_failure);
	g_test_add_func("/file/at-offset", test_at_offset);
	return g_test_run();
}
