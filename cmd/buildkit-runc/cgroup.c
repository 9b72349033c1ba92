/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroup.h"
#include "sys.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define CGROUP_ROOT "/sys/fs/cgroup"
#define SWEEP_TRIES 100
#define MAKE_TRIES 20
#define SWEEP_PAUSE_US 10000
#define TABLE_BYTES (256 * 1024)

static const struct {
	const char *name;
	unsigned bit;
} controllers[] = {
	{"devices", CGROUP_DEVICES}, {"memory", CGROUP_MEMORY},   {"pids", CGROUP_PIDS},   {"cpu", CGROUP_CPU},
	{"cpuset", CGROUP_CPUSET},   {"freezer", CGROUP_FREEZER}, {"blkio", CGROUP_BLKIO},
};

/* ---- finding hierarchies */

static void add_option(struct hierarchy *h, const char *option)
{
	size_t n = strlen(h->options);
	if (strncmp(option, "name=", 5) == 0)
		snprintf(h->options + n, sizeof h->options - n, "%snone,%s", n > 0 ? "," : "", option);
	else
		snprintf(h->options + n, sizeof h->options - n, "%s%s", n > 0 ? "," : "", option);
}

/* Super options of a v1 hierarchy: "rw,memory" or "rw,xattr,name=systemd". */
static void read_options(struct hierarchy *h, char *options)
{
	static const char *const other[] = {"cpuacct", "net_cls", "net_prio", "perf_event", "hugetlb", "rdma", "misc"};
	char *save = NULL;
	for (char *o = strtok_r(options, ",", &save); o != NULL; o = strtok_r(NULL, ",", &save)) {
		bool known = strncmp(o, "name=", 5) == 0;
		for (size_t i = 0; i < sizeof controllers / sizeof *controllers; i++) {
			if (strcmp(o, controllers[i].name) == 0) {
				h->controllers |= controllers[i].bit;
				add_option(h, o);
			}
		}
		for (size_t i = 0; i < sizeof other / sizeof *other; i++)
			known |= strcmp(o, other[i]) == 0;
		if (known) {
			h->controllers |= CGROUP_OTHER;
			add_option(h, o);
		}
	}
}

/*
 * Parses one line of mountinfo (proc_pid_mountinfo(5)): field 5 is the mount point; type, source and super options
 * follow " - ".
 */
static void add_line(struct cgroups *all, char *line)
{
	char point[PATH_MAX], type[16], options[512];
	char *tail = strstr(line, " - ");
	if (tail == NULL || all->n == CGROUPS_MAX || sscanf(line, "%*s %*s %*s %*s %4095s", point) != 1 ||
	    sscanf(tail, " - %15s %*s %511s", type, options) != 2 || strncmp(type, "cgroup", 6) != 0 ||
	    strncmp(point, CGROUP_ROOT, strlen(CGROUP_ROOT)) != 0)
		return;
	struct hierarchy h = {.fd = -1};
	bool v2 = strcmp(type, "cgroup2") == 0;
	const char *name = point[strlen(CGROUP_ROOT)] == '/' ? point + strlen(CGROUP_ROOT) + 1 : "";
	if (strchr(name, '/') != NULL || strlen(name) >= sizeof h.name)
		return;
	memcpy(h.name, name, strlen(name) + 1);
	if (v2)
		h.controllers = CGROUP_UNIFIED;
	else
		read_options(&h, options);
	h.fd = open(point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (h.fd < 0)
		return;
	if (v2) {
		all->unified = (int)all->n;
		all->unified_only = *name == '\0';
	}
	all->list[all->n++] = h;
}

void cgroups_find(struct cgroups *all)
{
	*all = (struct cgroups){.unified = -1};
	char *table = malloc(TABLE_BYTES), *save = NULL;
	if (table != NULL && sys_read_at(AT_FDCWD, "/proc/self/mountinfo", table, TABLE_BYTES) > 0)
		for (char *line = strtok_r(table, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save))
			add_line(all, line);
	free(table);
}

void cgroup_own(const struct hierarchy *h, char path[256])
{
	char table[8192], *save = NULL;
	path[0] = '\0';
	if (sys_read_at(AT_FDCWD, "/proc/self/cgroup", table, sizeof table) <= 0)
		return;
	for (char *line = strtok_r(table, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
		char *subject = strchr(line, ':'), *where = subject != NULL ? strchr(subject + 1, ':') : NULL;
		if (where == NULL)
			continue;
		*where++ = '\0';
		const char *first = strncmp(h->options, "none,", 5) == 0 ? h->options + 5 : h->options;
		if (h->controllers == CGROUP_UNIFIED ? subject[1] == '\0' : strcmp(subject + 1, first) == 0)
			snprintf(path, 256, "%s", where);
	}
}

/* ---- creating and opening */

/* v2: a child has only the controllers that its parent enables in cgroup.subtree_control. */
static void hand_down(int fd)
{
	static const char *const each[] = {"+cpuset", "+cpu", "+io", "+memory", "+pids"};
	if (sys_write_at(fd, "cgroup.subtree_control", "+cpuset +cpu +io +memory +pids") == 0)
		return;
	for (size_t i = 0; i < sizeof each / sizeof *each; i++)
		sys_write_at(fd, "cgroup.subtree_control", each[i]);
}

/* v1 cpuset: a new cgroup has no CPUs and memory nodes, and no process may join it until they are set. */
static void inherit_cpuset(int parent_fd, int fd)
{
	static const char *const files[] = {"cpuset.cpus", "cpuset.mems"};
	char own[4096], text[4096];
	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		if (sys_read_at(fd, files[i], own, sizeof own) >= 0 && own[strspn(own, " \n")] == '\0' &&
		    sys_read_at(parent_fd, files[i], text, sizeof text) > 0)
			sys_write_at(fd, files[i], text);
}

/* Opens the directory of a path in one hierarchy; creates it if make is set. Returns -errno on failure. */
static int open_in(const struct hierarchy *h, const char *path, bool make)
{
	int at = sys_dup(h->fd);
	char name[NAME_MAX + 1];
	if (at < 0)
		return at;
	for (const char *begin = path;;) {
		begin += strspn(begin, "/");
		size_t n = strcspn(begin, "/");
		if (n == 0)
			return at;
		if (n > NAME_MAX)
			break;
		memcpy(name, begin, n);
		name[n] = '\0';
		begin += n;
		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
			break;
		int next = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (next < 0 && errno == ENOENT && make) {
			if (h->controllers == CGROUP_UNIFIED)
				hand_down(at);
			if (mkdirat(at, name, 0755) == 0 || errno == EEXIST)
				next = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		}
		int error = errno;
		if (next >= 0 && make && (h->controllers & CGROUP_CPUSET) != 0)
			inherit_cpuset(at, next);
		close(at);
		if (next < 0)
			return -error;
		at = next;
	}
	close(at);
	return -EINVAL;
}

static int take(const struct cgroups *all, const char *path, bool make, struct cgroup *ret)
{
	int result = 0;
	*ret = (struct cgroup){.all = all};
	if (strlen(path) >= sizeof ret->path)
		result = -ENAMETOOLONG;
	else
		memcpy(ret->path, path, strlen(path) + 1);
	for (unsigned i = 0; i < CGROUPS_MAX; i++) {
		ret->fds[i] = -1;
		if (result != 0 || i >= all->n)
			continue;
		ret->fds[i] = open_in(&all->list[i], path, make);
		/* A read-only hierarchy is not an error: the container then has no limits there. */
		if (ret->fds[i] < 0 && make && ret->fds[i] != -EROFS && ret->fds[i] != -EACCES && ret->fds[i] != -EPERM)
			result = ret->fds[i];
		if (ret->fds[i] < 0)
			ret->fds[i] = -1;
	}
	if (result != 0)
		cgroup_close(ret);
	return result;
}

int cgroup_make(const struct cgroups *all, const char *path, struct cgroup *ret)
{
	/* Another daemon may remove a common parent while it is empty: create the directories again. */
	int r = -ENOENT;
	for (int tries = 0; r == -ENOENT && tries < MAKE_TRIES; tries++)
		r = take(all, path, true, ret);
	return r;
}

int cgroup_open(const struct cgroups *all, const char *path, struct cgroup *ret)
{
	return take(all, path, false, ret);
}

void cgroup_close(struct cgroup *g)
{
	for (unsigned i = 0; i < CGROUPS_MAX; i++)
		sys_close(&g->fds[i]);
}

int cgroup_unified_fd(const struct cgroup *g)
{
	return g->all->unified >= 0 ? g->fds[g->all->unified] : -1;
}

int cgroup_join(struct cgroup *g, int pid, bool born)
{
	char text[16];
	snprintf(text, sizeof text, "%d", pid);
	for (unsigned i = 0; i < g->all->n; i++) {
		if (g->fds[i] < 0 || (born && (int)i == g->all->unified))
			continue;
		int r = sys_write_at(g->fds[i], "cgroup.procs", text);
		if ((r == -EACCES || r == -EPERM) && sys_in_user_namespace())
			sys_close(&g->fds[i]);
		else if (r != 0)
			return r;
	}
	return 0;
}

int cgroup_find(const struct cgroup *g, unsigned bit)
{
	for (unsigned i = 0; i < g->all->n; i++)
		if ((g->all->list[i].controllers & bit) != 0 && g->fds[i] >= 0)
			return g->fds[i];
	return -ENOENT;
}

/* ---- signals and removal */

/* Removes a directory and the directories that a step made below it, deepest first, down to a maximum depth. */
static int remove_below(int parent_fd, const char *name, int depth)
{
	if (unlinkat(parent_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	int error = -errno, fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *d = fd >= 0 && depth < 64 ? fdopendir(fd) : NULL;
	if (d == NULL) {
		sys_close(&fd);
		return error;
	}
	for (const struct dirent *e; (e = readdir(d)) != NULL;)
		if (e->d_type == DT_DIR && e->d_name[0] != '.')
			remove_below(fd, e->d_name, depth + 1);
	closedir(d);
	return unlinkat(parent_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT ? 0 : -errno;
}

int cgroup_remove(const struct cgroups *all, const char *path)
{
	int result = 0;
	while (*path == '/')
		path++;
	for (unsigned i = 0; *path != '\0' && i < all->n; i++) {
		int r = remove_below(all->list[i].fd, path, 0);
		if (r != 0)
			result = r;
	}
	return result;
}

static void signal_all_at(int fd, int signal)
{
	char text[65536], *save = NULL;
	if (signal == SIGKILL && sys_write_at(fd, "cgroup.kill", "1") == 0)
		return;
	if (sys_read_at(fd, "cgroup.procs", text, sizeof text) <= 0)
		return;
	for (char *line = strtok_r(text, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
		long pid = strtol(line, NULL, 10);
		if (pid > 1)
			kill((pid_t)pid, signal);
	}
}

static void signal_below(int parent_fd, const char *name, int signal, int depth)
{
	int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0)
		signal_all_at(fd, signal);
	DIR *d = fd >= 0 && depth < 64 ? fdopendir(fd) : NULL;
	if (d == NULL) {
		sys_close(&fd);
		return;
	}
	for (const struct dirent *e; (e = readdir(d)) != NULL;)
		if (e->d_type == DT_DIR && e->d_name[0] != '.')
			signal_below(fd, e->d_name, signal, depth + 1);
	closedir(d);
}

/* v1: freezes the cgroup, so that no process forks while the processes are signalled one by one. */
static void freeze(const struct cgroups *all, const char *path, bool frozen)
{
	for (unsigned i = 0; i < all->n; i++) {
		if ((all->list[i].controllers & CGROUP_FREEZER) == 0)
			continue;
		auto_fd fd = openat(all->list[i].fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (fd >= 0)
			sys_write_at(fd, "freezer.state", frozen ? "FROZEN" : "THAWED");
	}
}

void cgroup_signal(const struct cgroups *all, const char *path, int signal)
{
	bool done = false;
	while (*path == '/')
		path++;
	if (*path == '\0')
		return;
	if (signal == SIGKILL)
		freeze(all, path, true);
	/*
	 * All hierarchies hold the same processes: use the unified hierarchy if it has the path, else the first one
	 * that has it.
	 */
	for (unsigned pass = 0; pass < 2 && !done; pass++) {
		for (unsigned i = 0; i < all->n && !done; i++) {
			if ((pass == 0) != ((int)i == all->unified) || faccessat(all->list[i].fd, path, F_OK, 0) != 0)
				continue;
			signal_below(all->list[i].fd, path, signal, 0);
			done = true;
		}
	}
	if (signal == SIGKILL)
		freeze(all, path, false);
}

static void sweep_in(int parent_fd, const char *directory, const char *prefix, bool remove)
{
	int fd = openat(parent_fd, directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	if (d == NULL) {
		sys_close(&fd);
		return;
	}
	for (const struct dirent *e; (e = readdir(d)) != NULL;) {
		if (e->d_type != DT_DIR || strncmp(e->d_name, prefix, strlen(prefix)) != 0)
			continue;
		signal_below(fd, e->d_name, SIGKILL, 0);
		for (int i = 0; remove && i < SWEEP_TRIES && remove_below(fd, e->d_name, 0) != 0; i++)
			usleep(SWEEP_PAUSE_US);
	}
	closedir(d);
}

void cgroup_sweep(const struct cgroups *all, const char *directory, const char *prefix)
{
	while (*directory == '/')
		directory++;
	for (int pass = 0; *directory != '\0' && pass < 2; pass++)
		for (unsigned i = 0; i < all->n; i++)
			sweep_in(all->list[i].fd, directory, prefix, pass == 1);
}

static bool counts_oom(int fd, const char *path, const char *file)
{
	char name[512], text[4096];
	snprintf(name, sizeof name, "%s/%s", path, file);
	if (sys_read_at(fd, name, text, sizeof text) <= 0)
		return false;
	const char *line = strstr(text, "oom_kill ");
	return line != NULL && strtoull(line + strlen("oom_kill "), NULL, 10) > 0;
}

bool cgroup_oom_killed(const struct cgroups *all, const char *path)
{
	while (*path == '/')
		path++;
	for (unsigned i = 0; *path != '\0' && i < all->n; i++) {
		const struct hierarchy *h = &all->list[i];
		if (h->controllers == CGROUP_UNIFIED
			    ? counts_oom(h->fd, path, "memory.events")
			    : (h->controllers & CGROUP_MEMORY) != 0 && counts_oom(h->fd, path, "memory.oom_control"))
			return true;
	}
	return false;
}
