/* SPDX-License-Identifier: Apache-2.0 */
#include "client/output_path.h"
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool fail(const char *option, const char *path, int number, GError **error)
{
	return error_set_errno(error, number, "%s: write %s", option, path);
}

/* Reports whether entries can be created in the directory. */
static bool directory_check(const char *option, const char *path, const char *directory, GError **error)
{
	struct stat st;
	if (stat(directory, &st) < 0)
		return fail(option, path, errno, error);
	if (!S_ISDIR(st.st_mode))
		return fail(option, path, ENOTDIR, error);
	return faccessat(AT_FDCWD, directory, W_OK | X_OK, AT_EACCESS) == 0 || fail(option, path, errno, error);
}

/* Returns the lowest directory of the path that exists. */
static char *existing_parent(const char *path)
{
	char *parent = g_path_get_dirname(path);
	struct stat st;
	while (stat(parent, &st) < 0 && errno == ENOENT && strcmp(parent, ".") != 0 && strcmp(parent, "/") != 0) {
		char *above = g_path_get_dirname(parent);
		g_free(parent);
		parent = above;
	}
	return parent;
}

bool output_path_check(const char *option, const char *path, enum output_path_kind kind, GError **error)
{
	struct stat st;
	bool there = stat(path, &st) == 0;
	if (there && kind == OUTPUT_PATH_DIRECTORY)
		return directory_check(option, path, path, error);
	if (there && S_ISDIR(st.st_mode))
		return fail(option, path, EISDIR, error);
	if (there && !S_ISREG(st.st_mode)) /* devices and pipes are opened for writing */
		return faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0 || fail(option, path, errno, error);
	g_autofree char *parent = kind == OUTPUT_PATH_FILE ? g_path_get_dirname(path) : existing_parent(path);
	/* A regular file is replaced by rename, or overwritten if its directory is not writable. */
	if (there && faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0)
		return true;
	return directory_check(option, path, parent, error);
}
