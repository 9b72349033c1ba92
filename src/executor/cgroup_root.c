/* SPDX-License-Identifier: Apache-2.0 */
#include "executor/cgroup_root.h"
#include "base/log.h"
#include "base/scope.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define INIT_GROUP "init"
/* A process can be created between reading the list and moving its parent: the next pass moves it. */
#define MAX_PASSES 16

static bool write_word(int dir_fd, const char *file, const char *word)
{
	scoped_fd fd = openat(dir_fd, file, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	return fd >= 0 && write(fd, word, strlen(word)) >= 0;
}

/* A daemon that was started again in its container is in the child "init". */
static bool is_own_cgroup(const char *own_path, GError **error)
{
	g_autofree char *text = NULL;
	if (!g_file_get_contents(own_path, &text, NULL, error))
		return false;
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	const char *own = "unknown";
	for (size_t i = 0; lines[i]; i++)
		if (g_str_has_prefix(lines[i], "0::"))
			own = lines[i] + strlen("0::");
	if (g_str_equal(own, "/") || g_str_equal(own, "/" INIT_GROUP))
		return true;
	return error_set(error, ERROR_FAILED_PRECONDITION,
			 "the daemon's cgroup %s is not the root of a cgroup namespace", own);
}

char *cgroup_root_delegated(const char *hierarchy, const char *own_path)
{
	g_autofree char *text = NULL;
	if (!g_file_get_contents(own_path, &text, NULL, NULL))
		return NULL;
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	for (size_t i = 0; lines[i]; i++) {
		if (!g_str_has_prefix(lines[i], "0::/"))
			continue;
		char *own = g_strdup(lines[i] + strlen("0::"));
		if (g_str_has_suffix(own, "/" INIT_GROUP))
			own[strlen(own) - strlen("/" INIT_GROUP)] = '\0';
		g_autofree char *procs = g_strconcat(hierarchy, own, "/cgroup.procs", NULL);
		g_autofree char *control = g_strconcat(hierarchy, own, "/cgroup.subtree_control", NULL);
		if (own[0] == '/' && own[1] != '\0' && access(procs, W_OK) == 0 && access(control, W_OK) == 0)
			return own;
		g_free(own);
	}
	return NULL;
}

/* Returns how many processes were moved, or -1. */
static int move_once(const char *root, int root_fd, GError **error)
{
	g_autofree char *path = g_build_filename(root, "cgroup.procs", NULL);
	g_autofree char *text = NULL;
	int n = 0;
	if (!g_file_get_contents(path, &text, NULL, error))
		return -1;
	g_auto(GStrv) pids = g_strsplit(text, "\n", -1);
	for (size_t i = 0; pids[i]; i++) {
		/* 0 is a process of another pid namespace, and would mean the caller. */
		if (*pids[i] == '\0' || g_str_equal(pids[i], "0"))
			continue;
		if (write_word(root_fd, INIT_GROUP "/cgroup.procs", pids[i]))
			n++;
		else if (errno != ESRCH) {
			error_set_errno(error, errno, "move process %s to cgroup %s/" INIT_GROUP, pids[i], root);
			return -1;
		}
	}
	return n;
}

/* A controller that cannot be enabled is missing in steps, whose limits for it are then errors. */
static bool enable_controllers(const char *root, int root_fd, GError **error)
{
	g_autofree char *path = g_build_filename(root, "cgroup.controllers", NULL);
	g_autofree char *text = NULL;
	if (!g_file_get_contents(path, &text, NULL, error))
		return false;
	g_auto(GStrv) names = g_strsplit_set(g_strchomp(text), " ", -1);
	for (size_t i = 0; names[i]; i++) {
		g_autofree char *word = g_strconcat("+", names[i], NULL);
		if (*names[i] != '\0' && !write_word(root_fd, "cgroup.subtree_control", word))
			log_warn("enable cgroup controller %s: %s", names[i], error_errno_text(errno));
	}
	return true;
}

bool cgroup_root_prepare(const char *root, const char *own_path, GError **error)
{
	scoped_fd root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* The root of the hierarchy has no type. */
	if (root_fd < 0 || faccessat(root_fd, "cgroup.controllers", F_OK, 0) != 0 ||
	    faccessat(root_fd, "cgroup.type", F_OK, 0) != 0)
		return true;
	if (own_path && !is_own_cgroup(own_path, error))
		return false;
	if (mkdirat(root_fd, INIT_GROUP, 0755) != 0 && errno != EEXIST)
		return error_set_errno(error, errno, "create cgroup %s/" INIT_GROUP, root);
	int moved = 1;
	for (int pass = 0; pass < MAX_PASSES && moved > 0; pass++)
		moved = move_once(root, root_fd, error);
	return moved >= 0 && enable_controllers(root, root_fd, error);
}
