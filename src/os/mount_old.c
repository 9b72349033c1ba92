/* SPDX-License-Identifier: Apache-2.0 */
#include "os/mount_old.h"
#include "base/scope.h"
#include "os/dirlist.h"
#include "os/mount.h"
#include "os/mount_id.h"
#include "os/path.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#define PATH_BYTES 64

struct slot {
	unsigned number; /* its name */
	bool recursive;  /* may have mounts below */
	uint64_t id;     /* recursive: of the mount */
};

static struct {
	GMutex mu; /* guards the rest */
	int fd;    /* owned by the process: the private tmpfs */
	bool used; /* fd is valid */
	unsigned next;
	GArray *slots; /* of struct slot */
} place;

bool mount_is_old(void)
{
	static gint age; /* 1: new, 2: old */
	int known = g_atomic_int_get(&age);
	if (known == 0) {
		/* An attribute structure of no bytes is EINVAL, before privileges are checked. */
		known = mount_setattr(-1, "", 0, NULL, 0) < 0 && errno == EINVAL ? 1 : 2;
		g_atomic_int_set(&age, known);
	}
	return known == 2;
}

int mount_old_use(int dir_fd)
{
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&place.mu);
	g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", dir_fd);
	g_autofree char *name = g_file_read_link(path, NULL);
	if (mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") < 0)
		return -errno;
	/* Unbindable: not part of recursive copies. The directory's name leads to the mount: nothing else changes it. */
	scoped_fd fd = name ? open(name, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	g_autofree char *mounted = g_strdup_printf("/proc/self/fd/%d", fd);
	if (fd < 0 || mount(NULL, mounted, NULL, MS_UNBINDABLE, NULL) < 0)
		return -errno;
	if (place.used)
		close(place.fd);
	g_clear_pointer(&place.slots, g_array_unref);
	place.slots = g_array_new(FALSE, FALSE, sizeof(struct slot));
	place.fd = fd_steal(&fd);
	place.used = true;
	return 0;
}

/* ---- the end of detached mounts */

static bool has_descriptor(uint64_t id)
{
	scoped_fd proc = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	scoped_dirlist list = {0};
	uint64_t other;
	if (proc < 0 || !dirlist_read(&list, proc, NULL))
		return true;
	for (size_t i = 0; i < list.n; i++)
		if (mount_id_of((int)g_ascii_strtoll(dirlist_name(&list, i), NULL, 10), &other) && other == id)
			return true;
	return false;
}

/* Returns true if nothing is mounted in the slot any more. */
static bool slot_end(const struct slot *s, const char *path)
{
	if (umount2(path, UMOUNT_NOFOLLOW) == 0 || errno == EINVAL) /* EINVAL: it was moved to its place */
		return true;
	return s->recursive && !has_descriptor(s->id) && umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0;
}

static void slot_path(unsigned number, char path[PATH_BYTES])
{
	g_snprintf(path, PATH_BYTES, "/proc/self/fd/%d/%u", place.fd, number);
}

static void slot_remove(unsigned number)
{
	char name[16];
	g_snprintf(name, sizeof name, "%u", number);
	if (unlinkat(place.fd, name, AT_REMOVEDIR) < 0)
		unlinkat(place.fd, name, 0);
}

/* The lock is held. */
static void collect(void)
{
	for (guint i = place.slots->len; i-- > 0;) {
		const struct slot *s = &g_array_index(place.slots, struct slot, i);
		char path[PATH_BYTES];
		slot_path(s->number, path);
		if (!slot_end(s, path))
			continue;
		slot_remove(s->number);
		g_array_remove_index_fast(place.slots, i);
	}
}

void mount_old_collect(void)
{
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&place.mu);
	if (place.used)
		collect();
}

/* ---- detached mounts */

/* The lock is held. A name can exist already: of a process that forked from this one. */
static int slot_make(struct slot *s, bool directory, char name[16])
{
	int r;
	do {
		s->number = place.next++;
		g_snprintf(name, 16, "%u", s->number);
		r = directory ? mkdirat(place.fd, name, 0700) : mknodat(place.fd, name, S_IFREG | 0600, 0);
	} while (r < 0 && errno == EEXIST);
	return r < 0 ? -errno : 0;
}

/* The lock is held. */
static int slot_fill(struct slot *s, bool directory, mount_old_fn fn, const void *data)
{
	char name[16], path[PATH_BYTES];
	int r = slot_make(s, directory, name);
	if (r < 0)
		return r;
	slot_path(s->number, path);
	r = fn(path, data);
	if (r == 0) {
		int fd = openat(place.fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0)
			return fd;
		r = -errno;
		umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW);
	}
	slot_remove(s->number);
	return r;
}

static int make(bool directory, bool recursive, mount_old_fn fn, const void *data)
{
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&place.mu);
	if (!place.used)
		return -ENOTSUP;
	collect();
	struct slot s = {.recursive = recursive};
	int fd = slot_fill(&s, directory, fn, data);
	if (fd < 0)
		return fd;
	s.recursive = recursive && mount_id_of(fd, &s.id);
	g_array_append_val(place.slots, s);
	return fd;
}

int mount_old_make(mount_old_fn fn, const void *data)
{
	return make(true, false, fn, data);
}

struct bind {
	int fd;
	unsigned long flags;
};

static int bind_at(const char *target, const void *data)
{
	const struct bind *b = data;
	char source[PATH_BYTES];
	g_snprintf(source, sizeof source, "/proc/self/fd/%d", b->fd);
	return mount(source, target, NULL, MS_BIND | b->flags, NULL) < 0 ? -errno : 0;
}

int mount_old_clone(int fd, bool recursive)
{
	const struct bind b = {fd, recursive ? MS_REC : 0};
	struct stat st;
	return fstat(fd, &st) < 0 ? -errno : make(S_ISDIR(st.st_mode), recursive, bind_at, &b);
}

int mount_old_move(int mount_fd, int dir_fd, const char *name)
{
	char from[PATH_BYTES], to[PATH_BYTES];
	scoped_fd at = -1;
	if (*name) {
		at = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		if (at < 0)
			return -errno;
	}
	g_snprintf(from, sizeof from, "/proc/self/fd/%d", mount_fd);
	g_snprintf(to, sizeof to, "/proc/self/fd/%d", at < 0 ? dir_fd : at);
	return mount(from, to, NULL, MS_MOVE, NULL) < 0 ? -errno : 0;
}

/* ---- attributes */

/* A remount clears the flags that it does not name. */
static int set_one(int fd, unsigned long set, unsigned long clear)
{
	static const struct {
		unsigned long st, ms;
	} pairs[] = {{ST_RDONLY, MS_RDONLY},    {ST_NOSUID, MS_NOSUID},   {ST_NODEV, MS_NODEV},
		     {ST_NOEXEC, MS_NOEXEC},    {ST_NOATIME, MS_NOATIME}, {ST_NODIRATIME, MS_NODIRATIME},
		     {ST_RELATIME, MS_RELATIME}};
	char path[PATH_BYTES];
	struct statvfs st;
	unsigned long flags = 0;
	if (fstatvfs(fd, &st) < 0)
		return -errno;
	for (size_t i = 0; i < G_N_ELEMENTS(pairs); i++)
		if (st.f_flag & pairs[i].st)
			flags |= pairs[i].ms;
	g_snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	return mount(NULL, path, NULL, MS_BIND | MS_REMOUNT | (flags & ~clear) | set, NULL) < 0 ? -errno : 0;
}

struct line { /* of mountinfo */
	guint64 id, parent;
	char *point; /* owned */
};

static void line_clear(void *data)
{
	g_free(((struct line *)data)->point);
}

/* Paths in mountinfo encode blanks and backslashes as \ooo. */
static GArray *read_lines(void)
{
	g_autofree char *table = NULL;
	if (!g_file_get_contents("/proc/self/mountinfo", &table, NULL, NULL))
		return NULL;
	GArray *lines = g_array_new(FALSE, FALSE, sizeof(struct line));
	g_array_set_clear_func(lines, line_clear);
	g_auto(GStrv) rows = g_strsplit(table, "\n", -1);
	for (size_t i = 0; rows[i]; i++) {
		g_auto(GStrv) fields = g_strsplit(rows[i], " ", 6);
		if (g_strv_length(fields) < 5)
			continue;
		struct line l = {g_ascii_strtoull(fields[0], NULL, 10), g_ascii_strtoull(fields[1], NULL, 10),
				 g_strcompress(fields[4])};
		g_array_append_val(lines, l);
	}
	return lines;
}

static const struct line *find_line(const GArray *lines, guint64 id)
{
	for (guint i = 0; i < lines->len; i++)
		if (g_array_index(lines, struct line, i).id == id)
			return &g_array_index(lines, struct line, i);
	return NULL;
}

static bool is_below(const GArray *lines, const struct line *l, guint64 top)
{
	for (guint hops = 0; l && hops < lines->len; hops++) {
		if (l->parent == top)
			return true;
		l = find_line(lines, l->parent);
	}
	return false;
}

static bool is_covered(const GArray *lines, const struct line *l)
{
	for (guint i = 0; i < lines->len; i++) {
		const struct line *other = &g_array_index(lines, struct line, i);
		if (other->parent == l->id && other != l && g_str_equal(other->point, l->point))
			return true;
	}
	return false;
}

/* Opens a mount by its path below the top, and checks that the mount found there is the one that is meant. */
static int set_below(int top_fd, const struct line *l, size_t n_top, unsigned long set, unsigned long clear)
{
	uint64_t id;
	scoped_fd fd = path_open_errno(top_fd, l->point + n_top, O_PATH, PATH_BENEATH);
	if (fd < 0)
		return fd;
	if (!mount_id_of(fd, &id))
		return -errno;
	return id == l->id ? set_one(fd, set, clear) : -ESTALE;
}

int mount_old_set(int mount_fd, unsigned long set, unsigned long clear, bool recursive)
{
	uint64_t id;
	int r = set_one(mount_fd, set, clear);
	if (r < 0 || !recursive)
		return r;
	g_autoptr(GArray) lines = mount_id_of(mount_fd, &id) ? read_lines() : NULL;
	const struct line *top = lines ? find_line(lines, id) : NULL;
	if (!top)
		return -ENOENT;
	size_t n_top = g_str_equal(top->point, "/") ? 0 : strlen(top->point);
	for (guint i = 0; r == 0 && i < lines->len; i++) {
		const struct line *l = &g_array_index(lines, struct line, i);
		/* A mount below another one at the same place can be neither reached nor changed. */
		if (is_below(lines, l, id) && !is_covered(lines, l))
			r = set_below(mount_fd, l, n_top, set, clear);
	}
	return r;
}
