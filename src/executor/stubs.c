/* SPDX-License-Identifier: Apache-2.0 */
#include "executor/stubs.h"
#include "base/scope.h"
#include "os/path.h"
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

void stubs_plan(stubs *s, const char *path, enum stub_kind kind)
{
	struct plan p = {.path = path_resolve(s->root_fd, path, true, NULL), .kind = kind};
	if (!p.path || g_str_equal(p.path, "/")) {
		g_free(p.path);
		return;
	}
	g_auto(GStrv) names = g_strsplit(p.path + 1, "/", -1);
	scoped_fd at = open_root(s);
	while (at >= 0 && names[p.n_present]) {
		int next = openat(at, names[p.n_present], O_PATH | O_NOFOLLOW | O_CLOEXEC);
		fd_close(&at);
		at = next;
		p.n_present += next >= 0;
	}
	g_array_append_val(s->plans, p);
}

static int make_node(int parent_fd, const char *name, enum stub_kind kind)
{
	if (kind == STUB_FILE)
		return mknodat(parent_fd, name, S_IFREG | 0755, 0);
	if (mkdirat(parent_fd, name, 0755) != 0)
		return -1;
	return kind == STUB_TMPFS ? fchmodat(parent_fd, name, 01777, 0) : 0;
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

/* Adds a node, with its parent's times before it was created. Takes nothing. False: no descriptor available. */
static bool add_stub(stubs *s, int parent_fd, int fd, const char *name, const struct stat *before, bool keep)
{
	struct stat node, after;
	if (fstat(fd, &node) != 0 || fstat(parent_fd, &after) != 0)
		return false;
	scoped_fd own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	scoped_fd parent = fcntl(parent_fd, F_DUPFD_CLOEXEC, 3);
	if (own < 0 || parent < 0)
		return false;
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
	return true;
}

/* Creates one component; returns its descriptor (owned) or -1. */
static int make_one(stubs *s, int parent_fd, const char *name, enum stub_kind kind, bool keep)
{
	struct stat before;
	if (fstat(parent_fd, &before) != 0 || make_node(parent_fd, name, kind) != 0)
		return -1;
	scoped_fd fd = openat(parent_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0 && add_stub(s, parent_fd, fd, name, &before, keep))
		return fd_steal(&fd);
	unlinkat(parent_fd, name, kind == STUB_FILE ? 0 : AT_REMOVEDIR);
	return -1;
}

/*
 * A component that was missing when it was planned and exists now: created for an earlier plan or as working directory.
 */
static void adopt(stubs *s, int parent_fd, int fd, const char *name, bool keep)
{
	struct stat node, before;
	if (keep || fstat(fd, &node) != 0 || fstat(parent_fd, &before) != 0)
		return;
	struct stub *known = find_stub(s, &node);
	if (known)
		known->keep = false;
	else
		add_stub(s, parent_fd, fd, name, &before, false);
}

static void make_planned(stubs *s, const struct plan *p)
{
	g_auto(GStrv) names = g_strsplit(p->path + 1, "/", -1);
	scoped_fd at = open_root(s);
	for (guint i = 0; at >= 0 && names[i]; i++) {
		bool last = names[i + 1] == NULL, keep = !last && !s->recursive;
		int next = openat(at, names[i], O_PATH | O_NOFOLLOW | O_CLOEXEC);
		if (next < 0 && errno == ENOENT)
			next = make_one(s, at, names[i], last ? p->kind : STUB_DIRECTORY, keep);
		else if (next >= 0 && i >= p->n_present)
			adopt(s, at, next, names[i], keep);
		fd_close(&at);
		at = next;
	}
}

void stubs_make(stubs *s)
{
	for (guint i = 0; i < s->plans->len; i++)
		make_planned(s, &g_array_index(s->plans, struct plan, i));
	g_array_set_size(s->plans, 0);
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static void stub_remove(const struct stub *s)
{
	struct stat there, parent;
	if (s->keep || fstat(s->parent_fd, &parent) != 0 ||
	    fstatat(s->parent_fd, s->name, &there, AT_SYMLINK_NOFOLLOW) != 0)
		return;
	if (s->dev != there.st_dev || s->ino != there.st_ino || (!s->directory && there.st_size != 0))
		return;
	if (unlinkat(s->parent_fd, s->name, s->directory ? AT_REMOVEDIR : 0) != 0)
		return;
	/* Restores the times from before the stub, unless the step changed the directory. */
	bool untouched = same_time(&parent.st_mtim, &s->made_mtime);
	const struct timespec times[2] = {
		untouched ? s->before[0] : parent.st_atim,
		untouched ? s->before[1] : parent.st_mtim,
	};
	utimensat(s->parent_fd, ".", times, 0);
}

void stubs_remove(stubs *s)
{
	for (guint i = s->list->len; i > 0; i--)
		stub_remove(&g_array_index(s->list, struct stub, i - 1));
	g_array_unref(s->list);
	g_array_unref(s->plans);
	g_free(s);
}
