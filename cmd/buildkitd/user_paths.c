/* SPDX-License-Identifier: Apache-2.0 */
#include "user_paths.h"
#include "base/log.h"
#include "base/scope.h"
#include "os/user_namespace.h"
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

bool user_paths_wanted(void)
{
	const char *user = g_getenv("USER");
	return user_namespace_is_limited() && user && *user != '\0' && strcmp(user, "root") != 0;
}

/* Returns the first directory of a variable, or NULL. */
static char *directory_of(const char *variable)
{
	const char *value = g_getenv(variable);
	return value && *value != '\0' ? g_strndup(value, strcspn(value, ":")) : NULL;
}

/* home: the directory below $HOME, if the variable is not set. */
static char *below(const char *variable, const char *home, const char *otherwise)
{
	g_autofree char *directory = directory_of(variable);
	const char *user_home = g_getenv("HOME");
	if (directory)
		return g_build_filename(directory, "buildkit", NULL);
	if (user_home && *user_home != '\0')
		return g_build_filename(user_home, home, "buildkit", NULL);
	return g_strdup(otherwise);
}

char *user_paths_root(void)
{
	return below("XDG_DATA_HOME", ".local/share", "/var/lib/buildkit");
}

char *user_paths_config_dir(void)
{
	return below("XDG_CONFIG_HOME", ".config", "/etc/buildkit");
}

char *user_paths_address(void)
{
	g_autofree char *directory = directory_of("XDG_RUNTIME_DIR");
	return g_strdup_printf("unix://%s/buildkit/buildkitd.sock", directory ? directory : "/run");
}

/* In a directory that others can write to, the name may be theirs, or a link to a directory of this user. */
static bool take_directory(const char *path, GError **error)
{
	struct stat st;
	scoped_fd fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && (errno == ELOOP || errno == ENOTDIR))
		return error_set(error, ERROR_PERMISSION_DENIED, "runtime directory %s is not a directory", path);
	if (fd < 0 || fstat(fd, &st) != 0)
		return error_set_errno(error, errno, "open %s", path);
	if (st.st_uid != geteuid())
		return error_set(error, ERROR_PERMISSION_DENIED,
				 "runtime directory %s is owned by uid %u, not by the daemon's user", path, st.st_uid);
	return fchmod(fd, 0700 | S_ISVTX) == 0 || error_set_errno(error, errno, "chmod %s", path);
}

bool user_paths_make_runtime_dir(GError **error)
{
	g_autofree char *parent = directory_of("XDG_RUNTIME_DIR");
	if (!parent) {
		log_warn("XDG_RUNTIME_DIR is not set: the default address is below /run");
		return true;
	}
	g_autofree char *path = g_build_filename(parent, "buildkit", NULL);
	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return error_set_errno(error, errno, "mkdir %s", path);
	return take_directory(path, error);
}
