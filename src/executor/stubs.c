/* SPDX-License-Identifier: Apache-2.0 */
#include "executor/stubs.h"
#include "base/scope.h"
#include "os/path.h"
#include "os/path_walk.h"
#include <fcntl.h>
#include <sys/stat.h>

struct plan {
	char *path; /* owned; resolved: absolute, without links */
	enum stub_kind kind;
	guint n_present; /* components that existed when it was planned */
};
struct stub {
	int parent_fd, fd; /* owned; fd O_PATH: holds the inode, so that its number is not used again */
	char *name;
	dev_t dev;
	ino_t ino;
	bool directory, keep;
	struct timespec before[2];  /* the parent's atime and mtime before the stub was made */
	struct timespec made_mtime; /* the parent's mtime after it was made */
};
struct stubs {
	int root_fd; /* borrowed */
	bool recursive;
	GArray *plans; /* of struct plan */
	GArray *list;  /* of struct stub, outer ones first */
};

static void plan_done(void *data)
{
	g_free(((struct plan *)data)->path);
}

static void stub_done(void *data)
{
	struct stub *s = data;
	fd_close(&s->parent_fd);
	fd_close(&s->fd);
	g_free(s->name);
}

stubs *stubs_new(int root_fd, bool recursive)
{
	stubs *s = g_new0(stubs, 1);
	s->root_fd = root_fd;
	s->recursive = recursive;
	s->plans = g_array_new(FALSE, FALSE, sizeof(struct plan));
	s->list = g_array_new(FALSE, FALSE, sizeof(struct stub));
	g_array_set_clear_func(s->plans, plan_done);
	g_array_set_clear_func(s->list, stub_done);
	return s;
}

static int open_root(const stubs *s)
{
	return path_open_errno(s->root_fd, "/", O_PATH | O_DIRECTORY | O_CLOEXEC, PATH_BENEATH);
}

/* 0 or -errno of what was attempted on a mount point, as a result: only a shortage is an error. */
static bool outcome(int r, const char *what, const char *path, GError **error)
{
	return r >= 0 || !error_errno_is_shortage(-r) || error_set_errno(error, -r, "%s mount point %s", what, path);
}

static int open_component(int dir_fd, const char *name)
{
	int fd = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

bool stubs_plan(stubs *s, const char *path, enum stub_kind kind, GError **error)
{
	struct plan p = {.kind = kind};
	int r = path_walk_resolve(s->root_fd, path, true, &p.path);
	if (r < 0 || g_str_equal(p.path, "/")) {
		g_free(p.path);
		return outcome(r, "resolve", path, error);
	}
	g_auto(GStrv) names = g_strsplit(p.path + 1, "/", -1);
	scoped_fd at = r = open_root(s);
	while (r >= 0 && names[p.n_present]) {
		r = open_component(at, names[p.n_present]);
		fd_close(&at);
		at = r;
		p.n_present += r >= 0;
	}
	g_array_append_val(s->plans, p);
	return outcome(r, "resolve", path, error);
}

/* 0 or -errno. */
static int make_node(int parent_fd, const char *name, enum stub_kind kind)
{
	int r = kind == STUB_FILE ? mknodat(parent_fd, name, S_IFREG | 0755, 0) : mkdirat(parent_fd, name, 0755);
	if (r == 0 && kind == STUB_TMPFS)
		r = fchmodat(parent_fd, name, 01777, 0);
	return r != 0 ? -errno : 0;
}

/* Returns NULL if the node is not in the list. */
static struct stub *find_stub(const stubs *s, const struct stat *node)
{
	for (guint i = 0; i < s->list->len; i++) {
		struct stub *one = &g_array_index(s->list, struct stub, i);
		if (one->dev == node->st_dev && one->ino == node->st_ino)
			return one;
	}
	return NULL;
}

/* Adds a node, with its parent's times before it was created. Takes nothing. 0 or -errno. */
static int add_stub(stubs *s, int parent_fd, int fd, const char *name, const struct stat *before, bool keep)
{
	struct stat node, after;
	if (fstat(fd, &node) != 0 || fstat(parent_fd, &after) != 0)
		return -errno;
	scoped_fd own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	scoped_fd parent = own < 0 ? -1 : fcntl(parent_fd, F_DUPFD_CLOEXEC, 3);
	if (parent < 0)
		return -errno;
	struct stub stub = {
		.name = g_strdup(name),
		.dev = node.st_dev,
		.ino = node.st_ino,
		.directory = S_ISDIR(node.st_mode),
		.keep = keep,
		.before = {before->st_atim, before->st_mtim},
		.made_mtime = after.st_mtim,
	};
	stub.fd = fd_steal(&own);
	stub.parent_fd = fd_steal(&parent);
	g_array_append_val(s->list, stub);
	return 0;
}

/* Creates one component; returns its descriptor (owned) or -errno, and then nothing is left of it. */
static int make_one(stubs *s, int parent_fd, const char *name, enum stub_kind kind, bool keep)
{
	struct stat before;
	if (fstat(parent_fd, &before) != 0)
		return -errno;
	int r = make_node(parent_fd, name, kind);
	if (r == -EEXIST)
		return r;
	int fd = r < 0 ? r : open_component(parent_fd, name);
	r = fd < 0 ? fd : add_stub(s, parent_fd, fd, name, &before, keep);
	if (r == 0)
		return fd;
	fd_close(&fd);
	unlinkat(parent_fd, name, kind == STUB_FILE ? 0 : AT_REMOVEDIR);
	return r;
}

/*
 * A component that was missing when it was planned and exists now: created for an earlier plan or as working directory.
 * Returns 0 or -errno.
 */
static int adopt(stubs *s, int parent_fd, int fd, const char *name, bool keep)
{
	struct stat node, before;
	if (keep)
		return 0;
	if (fstat(fd, &node) != 0 || fstat(parent_fd, &before) != 0)
		return -errno;
	struct stub *known = find_stub(s, &node);
	if (!known)
		return add_stub(s, parent_fd, fd, name, &before, false);
	known->keep = false;
	return 0;
}

/* 0 or -errno. */
static int make_planned(stubs *s, const struct plan *p)
{
	g_auto(GStrv) names = g_strsplit(p->path + 1, "/", -1);
	int r = open_root(s);
	scoped_fd at = r;
	for (guint i = 0; r >= 0 && names[i]; i++) {
		bool last = !names[i + 1], keep = !last && !s->recursive;
		int next = open_component(at, names[i]);
		r = next;
		if (next == -ENOENT)
			r = next = make_one(s, at, names[i], last ? p->kind : STUB_DIRECTORY, keep);
		else if (next >= 0 && i >= p->n_present)
			r = adopt(s, at, next, names[i], keep);
		fd_close(&at);
		at = next;
	}
	return r;
}

bool stubs_make(stubs *s, GError **error)
{
	bool ok = true;
	for (guint i = 0; ok && i < s->plans->len; i++) {
		const struct plan *p = &g_array_index(s->plans, struct plan, i);
		ok = outcome(make_planned(s, p), "make", p->path, error);
	}
	g_array_set_size(s->plans, 0);
	return ok;
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* 0 or -errno. */
static int stub_remove(const struct stub *s)
{
	struct stat there, parent;
	if (s->keep)
		return 0;
	if (fstat(s->parent_fd, &parent) != 0 || fstatat(s->parent_fd, s->name, &there, AT_SYMLINK_NOFOLLOW) != 0)
		return -errno;
	if (s->dev != there.st_dev || s->ino != there.st_ino || (!s->directory && there.st_size != 0))
		return 0;
	if (unlinkat(s->parent_fd, s->name, s->directory ? AT_REMOVEDIR : 0) != 0)
		return -errno;
	/* Restores the times from before the stub, unless the step changed the directory. */
	bool untouched = same_time(&parent.st_mtim, &s->made_mtime);
	const struct timespec times[2] = {
		untouched ? s->before[0] : parent.st_atim,
		untouched ? s->before[1] : parent.st_mtim,
	};
	return utimensat(s->parent_fd, ".", times, 0) != 0 ? -errno : 0;
}

bool stubs_remove(stubs *s, GError **error)
{
	bool ok = true;
	for (guint i = s->list->len; i > 0; i--) {
		const struct stub *one = &g_array_index(s->list, struct stub, i - 1);
		ok = outcome(stub_remove(one), "remove", one->name, ok ? error : NULL) && ok;
	}
	g_array_set_size(s->list, 0);
	return ok;
}

void stubs_free(stubs *s)
{
	if (!s)
		return;
	stubs_remove(s, NULL);
	g_array_unref(s->list);
	g_array_unref(s->plans);
	g_free(s);
}
