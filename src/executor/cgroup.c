/* SPDX-License-Identifier: Apache-2.0 */
#include "executor/cgroup.h"
#include "base/limits.h"
#include "base/scope.h"
#include "os/dirlist.h"
#include "os/file.h"
#include "os/path.h"
#include <dirent.h>
#include <fcntl.h>
#include <mntent.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>

void cgroups_init(struct cgroups *g)
{
	*g = (struct cgroups){.v2 = access(CGROUP_ROOT "/cgroup.subtree_control", F_OK) == 0};
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	char buffer[8192];
	struct mntent entry;
	while (mounts && g->n < CGROUP_MAX_HIERARCHIES && getmntent_r(mounts, &entry, buffer, sizeof buffer)) {
		if (!g_str_equal(entry.mnt_type, "cgroup") && !g_str_equal(entry.mnt_type, "cgroup2"))
			continue;
		if (!g_str_has_prefix(entry.mnt_dir, CGROUP_ROOT))
			continue;
		int fd = open(entry.mnt_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			continue;
		g->points[g->n] = g_strdup(entry.mnt_dir);
		g->fds[g->n++] = fd;
	}
	if (mounts)
		endmntent(mounts);
}

void cgroups_done(struct cgroups *g)
{
	for (size_t i = 0; i < g->n; i++) {
		close(g->fds[i]);
		g_free(g->points[i]);
	}
	*g = (struct cgroups){0};
}

char *cgroup_path_for(const char *parent, const char *id)
{
	if (parent && strstr(parent, ".slice") && g_str_has_suffix(parent, ":"))
		return g_strconcat(parent, id, NULL);
	g_autofree char *raw = g_strconcat("/", parent ? parent : "", "/buildkit/", id, NULL);
	return path_clean(raw);
}

/* Returns the path as openat expects it, or NULL if we do not manage that cgroup. */
static const char *relative(const char *path)
{
	return path && path[0] == '/' && path[1] != '\0' ? path + 1 : NULL;
}

int cgroup_counting_hierarchy(const struct cgroups *g, const char *path, const char **ret_relative)
{
	*ret_relative = g->v2 ? relative(path) : NULL;
	return *ret_relative && g->n > 0 ? g->fds[0] : -1;
}

/* ---- limits for all steps together */

static void write_value(int dir_fd, const char *file, const char *value)
{
	scoped_fd fd = openat(dir_fd, file, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0 && write(fd, value, strlen(value)) < 0)
		return; /* we may not set limits here */
}

static void limit(int fd)
{
	struct sysinfo info;
	write_value(fd, "pids.max", "32768");
	if (sysinfo(&info) != 0)
		return;
	uint64_t total = (uint64_t)info.totalram * info.mem_unit;
	if (total < 2 * (uint64_t)GIB(1))
		return;
	g_autofree char *bytes = g_strdup_printf("%" G_GUINT64_FORMAT, total - (uint64_t)MIB(512));
	write_value(fd, "memory.max", bytes);
	write_value(fd, "memory.limit_in_bytes", bytes);
}

GPtrArray *cgroup_missing(const struct cgroups *g, const char *path)
{
	GPtrArray *missing = g_ptr_array_new_with_free_func(g_free);
	g_auto(GStrv) names = g_strsplit(relative(path) ? relative(path) : "", "/", -1);
	for (size_t i = 0; i < g->n; i++) {
		g_autoptr(GString) at = g_string_new(g->points[i]);
		for (size_t k = 0; names[k]; k++) {
			g_string_append_printf(at, "/%s", names[k]);
			if (access(at->str, F_OK) != 0)
				g_ptr_array_add(missing, g_strdup(at->str));
		}
	}
	return missing;
}

void cgroup_limit_directory(const struct cgroups *g, const char *path)
{
	if (!relative(path))
		return;
	static const char *const controllers[] = {"+pids", "+memory", "+cpu", "+cpuset", "+io"};
	g_auto(GStrv) names = g_strsplit(relative(path), "/", -1);
	for (size_t i = 0; i < g->n; i++) {
		scoped_fd at = openat(g->fds[i], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		for (size_t k = 0; at >= 0 && names[k]; k++) {
			/*
			 * v2: children have only the controllers that their parents enable. Those of the limits of steps
			 * too: a runtime enables them below the directories that it creates, and not above.
			 */
			for (size_t c = 0; c < G_N_ELEMENTS(controllers); c++)
				write_value(at, "cgroup.subtree_control", controllers[c]);
			mkdirat(at, names[k], 0755);
			int next = openat(at, names[k], O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
			fd_close(&at);
			at = next;
		}
		if (at >= 0)
			limit(at);
	}
}

static bool kill_all_at(int dir_fd)
{
	bool any = false;
	scoped_fd all = openat(dir_fd, "cgroup.kill", O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	bool killed = all >= 0 && write(all, "1", 1) == 1;
	FILE *procs = file_open_text_at(dir_fd, "cgroup.procs");
	long pid;
	while (procs && fscanf(procs, "%ld", &pid) == 1) {
		any = true;
		/* 0 is a process of another pid namespace; never signal the caller's group. */
		if (!killed && pid > 1)
			kill((pid_t)pid, SIGKILL);
	}
	if (procs)
		fclose(procs);
	return any;
}

/*
 * Lists a directory and everything below it, parents first; strings relative to dir_fd. Bounded by the limits of a
 * step.
 */
static GPtrArray *list_tree(int dir_fd, const char *path)
{
	GPtrArray *list = g_ptr_array_new_with_free_func(g_free);
	g_ptr_array_add(list, g_strdup(path));
	for (guint i = 0; i < list->len && list->len < 10000; i++) {
		const char *at = g_ptr_array_index(list, i);
		scoped_dirlist names = {0};
		dirlist_read_at(&names, dir_fd, at, NULL);
		for (size_t k = 0; k < names.n; k++)
			if (names.items[k].type == DT_DIR)
				g_ptr_array_add(list, g_strconcat(at, "/", dirlist_name(&names, k), NULL));
	}
	return list;
}

/* v1: processes of a frozen group do not fork while they are killed one by one; they exit when the group is thawed. */
static void freeze(const struct cgroups *g, const char *name, const char *state)
{
	g_autofree char *file = g_strconcat(name, "/freezer.state", NULL);
	for (size_t i = 0; i < g->n; i++)
		write_value(g->fds[i], file, state);
}

bool cgroup_kill(const struct cgroups *g, const char *path)
{
	const char *name = relative(path);
	bool any = false;
	if (!name)
		return false;
	freeze(g, name, "FROZEN");
	for (size_t i = 0; i < g->n; i++) {
		if (faccessat(g->fds[i], name, F_OK, 0) != 0)
			continue;
		g_autoptr(GPtrArray) tree = list_tree(g->fds[i], name);
		for (guint t = 0; t < tree->len; t++) {
			scoped_fd dir =
				openat(g->fds[i], g_ptr_array_index(tree, t), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
			if (dir >= 0)
				any |= kill_all_at(dir);
		}
	}
	freeze(g, name, "THAWED");
	return any;
}

/* Makes one attempt for all hierarchies; false if a cgroup is still busy. */
static bool remove_once(const struct cgroups *g, const char *name)
{
	bool done = true;
	for (size_t i = 0; i < g->n; i++) {
		if (unlinkat(g->fds[i], name, AT_REMOVEDIR) == 0 || errno == ENOENT)
			continue;
		g_autoptr(GPtrArray) tree = list_tree(g->fds[i], name);
		for (guint t = tree->len; t > 0; t--)
			unlinkat(g->fds[i], g_ptr_array_index(tree, t - 1), AT_REMOVEDIR);
		done &= faccessat(g->fds[i], name, F_OK, 0) != 0;
	}
	return done;
}

bool cgroup_remove(const struct cgroups *g, const char *path, int wait_ms)
{
	const char *name = relative(path);
	if (!name)
		return true;
	/* The kernel removes an exited process from its cgroup a moment after its parent was notified. */
	for (int waited_ms = 0, pause_ms = 1;; waited_ms += pause_ms, pause_ms = MIN(pause_ms * 2, 50)) {
		if (remove_once(g, name))
			return true;
		if (waited_ms >= wait_ms)
			return false;
		cgroup_kill(g, path);
		g_usleep((gulong)pause_ms * 1000);
	}
}

static void collect_named(int dir_fd, const char *path, const char *prefix, GHashTable *ret)
{
	scoped_dirlist names = {0};
	dirlist_read_at(&names, dir_fd, path, NULL);
	for (size_t i = 0; i < names.n; i++)
		if (names.items[i].type == DT_DIR && g_str_has_prefix(dirlist_name(&names, i), prefix))
			g_hash_table_add(ret, g_strconcat("/", path, "/", dirlist_name(&names, i), NULL));
}

void cgroup_remove_named(const struct cgroups *g, const char *path, const char *instance, int wait_ms)
{
	g_autofree char *prefix = g_strconcat(instance, ".", NULL);
	g_autoptr(GHashTable) found = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	for (size_t i = 0; relative(path) && i < g->n; i++)
		collect_named(g->fds[i], relative(path), prefix, found);
	GHashTableIter iter;
	void *key;
	g_hash_table_iter_init(&iter, found);
	while (g_hash_table_iter_next(&iter, &key, NULL))
		cgroup_kill(g, key);
	g_hash_table_iter_init(&iter, found);
	while (g_hash_table_iter_next(&iter, &key, NULL))
		cgroup_remove(g, key, wait_ms);
}

static bool file_counts_oom(int dir_fd, const char *dir, const char *file)
{
	g_autofree char *name = g_strconcat(dir, "/", file, NULL);
	FILE *f = file_open_text_at(dir_fd, name);
	char key[64];
	unsigned long long value;
	bool found = false;
	while (f && !found && fscanf(f, "%63s %llu", key, &value) == 2)
		found = g_str_equal(key, "oom_kill") && value > 0;
	if (f)
		fclose(f);
	return found;
}

bool cgroup_oom_killed(const struct cgroups *g, const char *path)
{
	const char *name = relative(path);
	for (size_t i = 0; name && i < g->n; i++)
		if (file_counts_oom(g->fds[i], name, "memory.events") ||
		    file_counts_oom(g->fds[i], name, "memory.oom_control"))
			return true;
	return false;
}
