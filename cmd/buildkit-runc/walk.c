/* SPDX-License-Identifier: Apache-2.0 */
#include "walk.h"
#include "sys.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_LINKS 40     /* as the kernel */
#define MAX_STEPS 100000 /* opened components: a path with many ".." costs more than its length */

struct walk {
	int root_fd; /* borrowed */
	int at;      /* owned; the directory that was reached */
	enum walk_kind kind;
	uint64_t mount; /* WALK_BENEATH: mount of the root */
	unsigned links, steps;
	char done[PATH_MAX]; /* path of at from the root, without links; "" is the root */
	char rest[PATH_MAX]; /* still to be looked up */
};

static int open_component(struct walk *w, int dir_fd, const char *name, uint64_t flags)
{
	uint64_t mount;
	if (++w->steps > MAX_STEPS)
		return -ELOOP;
	int fd = openat(dir_fd, name, (int)flags | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || w->kind != WALK_BENEATH)
		return fd < 0 ? -errno : fd;
	int r = sys_mount_id(fd, &mount);
	if (r == 0 && mount == w->mount)
		return fd;
	close(fd);
	return r != 0 ? r : -EXDEV;
}

static int move_to(struct walk *w, int fd)
{
	if (fd < 0)
		return fd;
	sys_close(&w->at);
	w->at = fd;
	return 0;
}

static int to_root(struct walk *w)
{
	w->done[0] = '\0';
	int fd = openat(w->root_fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return move_to(w, fd < 0 ? -errno : fd);
}

/* Goes down from the root again: what the kernel calls ".." of a directory that was moved can be outside. */
static int up(struct walk *w)
{
	char path[PATH_MAX], *save = NULL, *slash = strrchr(w->done, '/');
	if (slash == NULL)
		return w->kind == WALK_IN_ROOT ? 0 : -EXDEV;
	if (w->kind == WALK_NO_LINKS)
		return -EXDEV;
	*slash = '\0';
	memcpy(path, w->done, sizeof path);
	int r = to_root(w);
	memcpy(w->done, path, sizeof path);
	for (char *name = strtok_r(path, "/", &save); r == 0 && name != NULL; name = strtok_r(NULL, "/", &save))
		r = move_to(w, open_component(w, w->at, name, O_PATH | O_DIRECTORY));
	return r;
}

/* Puts the target of a link before the rest of the path. */
static int follow(struct walk *w, int link_fd)
{
	char target[PATH_MAX], next[2 * PATH_MAX];
	if (w->kind == WALK_NO_LINKS || ++w->links > MAX_LINKS)
		return -ELOOP;
	ssize_t n = readlinkat(link_fd, "", target, sizeof target - 1);
	if (n <= 0)
		return n < 0 ? -errno : -ENOENT;
	target[n] = '\0';
	int length = snprintf(next, sizeof next, "%s%s%s", target, w->rest[0] != '\0' ? "/" : "", w->rest);
	if (length < 0 || (size_t)length >= sizeof w->rest)
		return -ENAMETOOLONG;
	memcpy(w->rest, next, (size_t)length + 1);
	if (target[0] != '/')
		return 0;
	return w->kind == WALK_BENEATH ? -EXDEV : to_root(w);
}

/* Removes the first component of the rest. Returns 1, 0 at the end, -errno. slash: a slash follows the component. */
static int next_name(struct walk *w, char name[NAME_MAX + 1], bool *ret_last, bool *ret_slash)
{
	const char *begin = w->rest + strspn(w->rest, "/"), *end = begin + strcspn(begin, "/");
	size_t n = (size_t)(end - begin);
	if (n == 0)
		return 0;
	if (n > NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(name, begin, n);
	name[n] = '\0';
	*ret_slash = *end == '/';
	end += strspn(end, "/");
	*ret_last = *end == '\0';
	memmove(w->rest, end, strlen(end) + 1);
	return 1;
}

static int down(struct walk *w, const char *name, int fd)
{
	size_t used = strlen(w->done);
	int n = snprintf(w->done + used, sizeof w->done - used, "/%s", name);
	if (n < 0 || (size_t)n >= sizeof w->done - used) {
		close(fd);
		return -ENAMETOOLONG;
	}
	return move_to(w, fd);
}

/* Looks at one component. Returns 1 if it is the result, in *ret_fd; 0: continue; -errno. */
static int step(struct walk *w, const char *name, bool last, bool slash, uint64_t flags, int *ret_fd)
{
	struct stat st;
	auto_fd fd = open_component(w, w->at, name, O_PATH);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) != 0)
		return -errno;
	bool end = last && !slash, keeps = end && (flags & O_NOFOLLOW) != 0;
	if (S_ISLNK(st.st_mode) && !keeps) {
		if (slash && last)
			memcpy(w->rest, "/", 2);
		return follow(w, fd);
	}
	if (!S_ISDIR(st.st_mode) && (!end || (flags & O_DIRECTORY) != 0))
		return -ENOTDIR;
	if (end && (flags & O_PATH) == 0) {
		*ret_fd = open_component(w, w->at, name, flags);
		return *ret_fd < 0 ? *ret_fd : 1;
	}
	/* Not opened again: it could be a link now. */
	int found = fd;
	fd = -1;
	if (!end)
		return down(w, name, found);
	*ret_fd = found;
	return 1;
}

static int run(struct walk *w, uint64_t flags)
{
	char name[NAME_MAX + 1];
	bool last, slash;
	for (;;) {
		int fd = -1, r = next_name(w, name, &last, &slash);
		if (r <= 0) {
			fd = r < 0 ? r : openat(w->at, ".", (int)flags | O_CLOEXEC);
			return fd < 0 && r == 0 ? -errno : fd;
		}
		if (strcmp(name, ".") == 0)
			continue;
		r = strcmp(name, "..") == 0 ? up(w) : step(w, name, last, slash, flags, &fd);
		if (r != 0)
			return r < 0 ? r : fd;
	}
}

int walk_open(int root_fd, const char *path, uint64_t flags, enum walk_kind kind)
{
	struct walk w = {.root_fd = root_fd, .at = -1, .kind = kind};
	if (strlen(path) >= sizeof w.rest)
		return -ENAMETOOLONG;
	memcpy(w.rest, path, strlen(path) + 1);
	int r = kind == WALK_BENEATH ? sys_mount_id(root_fd, &w.mount) : 0;
	if (r == 0)
		r = to_root(&w);
	if (r == 0)
		r = run(&w, flags);
	sys_close(&w.at);
	return r;
}
