/* SPDX-License-Identifier: Apache-2.0 */
/* Missing components are created once, whoever is first, and dangling links are followed inside the root. */
#include "inroot.h"
#include "lib/outcome.h"
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#define STEPS 4
#define ROUNDS 300

static char work[] = "/tmp/inroot-XXXXXX";
static int root_fd;
static pthread_barrier_t begin;

/* Steps that share a cache mount create the same mount points below it. */
static gpointer ensure_all(gpointer directory)
{
	for (int round = 0; round < ROUNDS; round++) {
		char path[64];
		g_snprintf(path, sizeof path, "/%s%d/b/c", directory ? "d" : "f", round);
		pthread_barrier_wait(&begin);
		int fd = inroot_ensure(root_fd, path, directory != NULL);
		if (fd < 0)
			g_error("%s: %s", path, g_strerror(-fd));
		struct stat st;
		g_assert_cmpint(fstat(fd, &st), ==, 0);
		g_assert_true(directory ? S_ISDIR(st.st_mode) : S_ISREG(st.st_mode));
		close(fd);
	}
	return NULL;
}

static void test_shared(gconstpointer directory)
{
	GThread *threads[STEPS];
	g_assert_cmpint(pthread_barrier_init(&begin, NULL, STEPS), ==, 0);
	for (int i = 0; i < STEPS; i++)
		threads[i] = g_thread_new("step", ensure_all, (gpointer)directory);
	for (int i = 0; i < STEPS; i++)
		g_thread_join(threads[i]);
	pthread_barrier_destroy(&begin);
}

static void test_links(void)
{
	g_assert_cmpint(symlinkat("/target/deep", root_fd, "link"), ==, 0);
	g_assert_cmpint(symlinkat("loop", root_fd, "loop"), ==, 0);
	int fd = inroot_ensure(root_fd, "/link/last", true);
	g_assert_cmpint(fd, >=, 0);
	close(fd);
	struct stat st;
	g_assert_cmpint(fstatat(root_fd, "target/deep/last", &st, AT_SYMLINK_NOFOLLOW), ==, 0);
	g_assert_cmpint(inroot_ensure(root_fd, "/loop/x", true), ==, -ELOOP);
	fd = openat(root_fd, "file", O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	close(fd);
	g_assert_cmpint(inroot_ensure(root_fd, "/file/x", true), ==, -ENOTDIR);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_assert_nonnull(g_mkdtemp(work));
	root_fd = open(work, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	g_assert_cmpint(root_fd, >=, 0);
	g_test_add_data_func("/inroot/shared-directories", "", test_shared);
	g_test_add_data_func("/inroot/shared-files", NULL, test_shared);
	g_test_add_func("/inroot/links", test_links);
	int status = g_test_run();
	close(root_fd);
	g_autofree char *command = g_strconcat("rm -rf ", work, NULL);
	assert_succeeds(g_spawn_command_line_sync(command, NULL, NULL, NULL, &failure));
	return status;
}
