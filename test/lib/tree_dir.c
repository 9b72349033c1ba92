/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/tree_dir.h"
#include "lib/outcome.h"

char *tree_dir_new(int *ret_fd)
{
	char *path = g_dir_make_tmp("cache-test-XXXXXX", NULL);
	g_assert_cmpint(chmod(path, 0755), ==, 0);
	*ret_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	g_assert_cmpint(*ret_fd, >=, 0);
	return path;
}

void tree_dir_free(char *path, int fd)
{
	close(fd);
	assert_succeeds(tree_remove_at(AT_FDCWD, path, &failure));
	g_free(path);
}

void tree_dir_write(int fd, const char *name, const char *text)
{
	scoped_fd file = openat(fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	g_assert_cmpint(file, >=, 0);
	g_assert_cmpint(fchmod(file, 0644), ==, 0);
	g_assert_cmpint(write(file, text, strlen(text)), ==, (ssize_t)strlen(text));
}

char *tree_dir_read(int fd, const char *name)
{
	char text[4096] = "";
	scoped_fd file = openat(fd, name, O_RDONLY | O_CLOEXEC);
	if (file < 0)
		return NULL;
	g_assert_cmpint(read(file, text, sizeof text - 1), >=, 0);
	return g_strdup(text);
}

void tree_dir_fill(int fd, const char *const *lines)
{
	for (; lines && *lines; lines++) {
		g_auto(GStrv) word = g_strsplit(*lines, " ", 4);
		if (strcmp(word[2], "dir") == 0) {
			g_assert_cmpint(mkdirat(fd, word[1], 0755), ==, 0);
			g_assert_cmpint(fchmodat(fd, word[1], 0755, 0), ==, 0);
		} else if (strcmp(word[2], "file") == 0) {
			tree_dir_write(fd, word[1], word[3] ? word[3] : "");
		} else if (strcmp(word[2], "symlink") == 0) {
			g_assert_cmpint(symlinkat(word[3], fd, word[1]), ==, 0);
		} else {
			g_assert_cmpint(linkat(fd, word[3], fd, word[1], 0), ==, 0);
		}
	}
}
