/* SPDX-License-Identifier: Apache-2.0 */
#include "mountfd_old.h"
#include "sys.h"
#include "walk.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#define NOSYMFOLLOW 256 /* MS_NOSYMFOLLOW */

static int slots_fd = -1; /* the private tmpfs */
static unsigned n_slots;

static void fd_path(int fd, char path[32])
{
	snprintf(path, 32, "/proc/self/fd/%d", fd);
}

/* ---- detached mounts */

/* Unbindable: a recursive copy of a tree that the directory is in, such as the root, does not have the tmpfs. */
int mountfd_old_prepare(const char *staging)
{
	if (mount("tmpfs", staging, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") != 0 ||
	    mount(NULL, staging, NULL, MS_UNBINDABLE, NULL) != 0)
		return -errno;
	slots_fd = open(staging, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return slots_fd < 0 ? -errno : 0;
}

/* A mount point; its path begins with a descriptor and has no component that others can change. */
static int new_slot(bool directory, char name[16], char path[48])
{
	if (slots_fd < 0)
		return -ENOTSUP;
	snprintf(name, 16, "%u", n_slots++);
	snprintf(path, 48, "/proc/self/fd/%d/%s", slots_fd, name);
	int r = directory ? mkdirat(slots_fd, name, 0700) : mknodat(slots_fd, name, S_IFREG | 0600, 0);
	return r != 0 ? -errno : 0;
}

static int open_slot(const char *name)
{
	int fd = openat(slots_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int mountfd_old_type(const struct mountfd_type *t, bool directory, unsigned long flags)
{
	char name[16], path[48];
	int r = new_slot(directory, name, path);
	if (r != 0)
		return r;
	if (mount(t->source != NULL && *t->source != '\0' ? t->source : t->type, path, t->type, flags, t->data) != 0)
		return -errno;
	return open_slot(name);
}

int mountfd_old_clone(int fd, bool recursive)
{
	struct stat st;
	char name[16], path[48], source[32];
	int r = fstat(fd, &st) != 0 ? -errno : new_slot(S_ISDIR(st.st_mode), name, path);
	if (r != 0)
		return r;
	fd_path(fd, source);
	if (mount(source, path, NULL, MS_BIND | (recursive ? MS_REC : 0), NULL) != 0)
		return -errno;
	return open_slot(name);
}

int mountfd_old_move(int place_fd, int mount_fd)
{
	char from[32], to[32];
	fd_path(mount_fd, from);
	fd_path(place_fd, to);
	return mount(from, to, NULL, MS_MOVE, NULL) == 0 ? 0 : -errno;
}

/* ---- attributes of one mount */

/* Returns the flags of an existing mount as MS_*: a remount clears the flags that it does not name. */
static int present_flags(int fd, unsigned long *ret)
{
	static const struct {
		unsigned long st, ms;
	} pairs[] = {{1, MS_RDONLY},     {2, MS_NOSUID},        {4, MS_NODEV},       {8, MS_NOEXEC},
		     {1024, MS_NOATIME}, {2048, MS_NODIRATIME}, {4096, MS_RELATIME}, {8192, NOSYMFOLLOW}};
	struct statfs st;
	if (fstatfs(fd, &st) != 0)
		return -errno;
	*ret = 0;
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
		if (((unsigned long)st.f_flags & pairs[i].st) != 0)
			*ret |= pairs[i].ms;
	return 0;
}

static int change_one(int fd, uint64_t set, uint64_t clear)
{
	char path[32];
	unsigned long flags;
	if (((set | clear) & MOUNT_ATTR_NOSYMFOLLOW) != 0)
		return -EINVAL; /* Linux 5.10 accepts it, older kernels ignore it */
	int r = present_flags(fd, &flags);
	if (r != 0 || (set == 0 && clear == 0))
		return r;
	flags &= ~(mountfd_flags(clear) & ~(unsigned long)MS_RELATIME);
	flags |= mountfd_flags(set) & ~(unsigned long)MS_RELATIME;
	fd_path(fd, path);
	return mount(NULL, path, NULL, MS_BIND | MS_REMOUNT | flags, NULL) == 0 ? 0 : -errno;
}

/* ---- attributes of a tree */

struct line { /* of mountinfo */
	unsigned long long id, parent;
	char *point; /* in the text */
};

static void decode_octal(char *text)
{
	char *to = text;
	for (const char *from = text; *from != '\0';) {
		if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] != '\0' && from[3] != '\0') {
			*to++ = (char)((from[1] - '0') * 64 + (from[2] - '0') * 8 + (from[3] - '0'));
			from += 4;
		} else {
			*to++ = *from++;
		}
	}
	*to = '\0';
}

static char *read_table(void)
{
	size_t used = 0, size = 65536;
	char *text = malloc(size);
	auto_fd fd = openat(sys_proc(), "self/mountinfo", O_RDONLY | O_CLOEXEC);
	for (ssize_t n = fd < 0 ? -1 : 1; text != NULL && n != 0;) {
		n = n < 0 ? n : read(fd, text + used, size - 1 - used);
		if (n < 0 && errno == EINTR && fd >= 0) {
			n = 1;
			continue;
		}
		char *more = n > 0 && (used += (size_t)n) == size - 1 ? realloc(text, size *= 2) : text;
		if (n < 0 || more == NULL) {
			free(text);
			return NULL;
		}
		text = more;
	}
	if (text != NULL)
		text[used] = '\0';
	return text;
}

/* Splits a table into lines, allocated. Returns their number, or -errno. */
static ssize_t read_lines(char *text, struct line **ret)
{
	size_t n = 0, room = 0;
	struct line *lines = NULL;
	char *save = NULL;
	for (char *row = strtok_r(text, "\n", &save); row != NULL; row = strtok_r(NULL, "\n", &save)) {
		struct line l;
		int at = 0;
		if (sscanf(row, "%llu %llu %*s %*s %n", &l.id, &l.parent, &at) != 2 || at == 0)
			continue;
		l.point = row + at;
		l.point[strcspn(l.point, " ")] = '\0';
		decode_octal(l.point);
		if (n == room) {
			struct line *more = reallocarray(lines, room = room > 0 ? room * 2 : 64, sizeof *lines);
			if (more == NULL) {
				free(lines);
				return -ENOMEM;
			}
			lines = more;
		}
		lines[n++] = l;
	}
	*ret = lines;
	return (ssize_t)n;
}

static const struct line *find_line(const struct line *lines, size_t n, unsigned long long id)
{
	for (size_t i = 0; i < n; i++)
		if (lines[i].id == id)
			return &lines[i];
	return NULL;
}

static bool is_below(const struct line *lines, size_t n, const struct line *l, unsigned long long top)
{
	for (size_t hops = 0; l != NULL && hops < n; hops++) {
		if (l->parent == top)
			return true;
		l = find_line(lines, n, l->parent);
	}
	return false;
}

static bool is_covered(const struct line *lines, size_t n, const struct line *l)
{
	for (size_t i = 0; i < n; i++)
		if (lines[i].parent == l->id && lines[i].id != l->id && strcmp(lines[i].point, l->point) == 0)
			return true;
	return false;
}

/* Opens a mount by its path below the top, and checks that the mount found there is the one that is meant. */
static int change_below(int top_fd, const struct line *l, size_t n_top, const struct mountfd_change *c)
{
	uint64_t id;
	const char *path = l->point + n_top;
	auto_fd fd = walk_open(top_fd, path + strspn(path, "/"), O_PATH, WALK_NO_LINKS);
	int r = fd < 0 ? fd : sys_mount_id(fd, &id);
	if (r < 0)
		return r;
	if (id != l->id)
		return -ESTALE;
	return change_one(fd, c->set_recursive, c->clear_recursive);
}

static int change_all(int fd, const struct mountfd_change *c)
{
	uint64_t id;
	struct line *lines = NULL;
	int r = sys_mount_id(fd, &id);
	char *text = r == 0 ? read_table() : NULL;
	ssize_t n = text != NULL ? read_lines(text, &lines) : r != 0 ? r : -ENOMEM;
	const struct line *top = n < 0 ? NULL : find_line(lines, (size_t)n, id);
	r = n < 0 ? (int)n : top == NULL ? -ENOENT : change_one(fd, c->set_recursive, c->clear_recursive);
	size_t n_top = top == NULL || strcmp(top->point, "/") == 0 ? 0 : strlen(top->point);
	for (ssize_t i = 0; r == 0 && i < n; i++)
		/* A mount below another one at the same place can be neither reached nor changed. */
		if (is_below(lines, (size_t)n, &lines[i], id) && !is_covered(lines, (size_t)n, &lines[i]))
			r = change_below(fd, &lines[i], n_top, c);
	free(lines);
	free(text);
	return r;
}

int mountfd_old_change(int fd, const struct mountfd_change *c)
{
	char path[32];
	int r = 0;
	fd_path(fd, path);
	if (c->user_fd > 0)
		return -ENOSYS; /* mount(2) cannot map ids */
	if (c->propagation != 0 && mount(NULL, path, NULL, (unsigned long)c->propagation, NULL) != 0)
		return -errno;
	if (c->set_recursive != 0 || c->clear_recursive != 0)
		r = change_all(fd, c);
	return r != 0 ? r : change_one(fd, c->set, c->clear);
}
