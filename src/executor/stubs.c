/* SPDX-License-Identifier: Apache-2.0 */
#include "executor/stubs.h"
#include "base/scope.h"
#include "os/path.h"
#include <fcntl.h>
#include <sys/stat.h>

struct stub {
	int parent_fd, fd; /* owned; fd O_PATH: holds the inode, so that its number stays its own */
	char *name;
	bool directory, keep;
	struct timespec before[2]; /* parent's atime, mtime before and after we made the stub */
	struct timespec made_mtime;
};
struct stubs {
	int root_fd; /* borrowed */
	bool recursive;
	GArray *list; /* of struct stub, outer ones first */
};

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
	s->list = g_array_new(FALSE, FALSE, sizeof(struct stub));
	g_array_set_clear_func(s->list, stub_done);
	return s;
}

/* Makes one component; the new descriptor or -1. The parent's times as they were are kept with it. */
static int make_one(stubs *s, int parent_fd, const char *name, bool directory, bool keep)
{
	struct stat before, after;
	if (fstat(parent_fd, &before) != 0)
		return -1;
	if (directory ? mkdirat(parent_fd, name, 0755) != 0 : mknodat(parent_fd, name, S_IFREG | 0755, 0) != 0)
		return -1;
	scoped_fd fd = openat(parent_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	scoped_fd parent = fcntl(parent_fd, F_DUPFD_CLOEXEC, 3);
	if (fd < 0 || parent < 0 || fstat(parent_fd, &after) != 0) {
		unlinkat(parent_fd, name, directory ? AT_REMOVEDIR : 0);
		return -1;
	}
	struct stub stub = {
		.name = g_strdup(name),
		.directory = directory,
		.keep = keep,
		.before = {before.st_atim, before.st_mtim},
		.made_mtime = after.st_mtim,
	};
	int at = fd;
	stub.fd = fd_steal(&fd);
	stub.parent_fd = fd_steal(&parent);
	g_array_append_val(s->list, stub);
	return at;
}

void stubs_make(stubs *s, const char *path, bool directory)
{
	g_autofree char *resolved = path_resolve(s->root_fd, path, true, NULL);
	if (resolved == NULL || g_str_equal(resolved, "/"))
		return;
	g_auto(GStrv) names = g_strsplit(resolved + 1, "/", -1);
	scoped_fd at = path_open_errno(s->root_fd, "/", O_PATH | O_DIRECTORY | O_CLOEXEC, PATH_BENEATH);
	for (size_t i = 0; at >= 0 && names[i] != NULL; i++) {
		bool last = names[i + 1] == NULL;
		int next = openat(at, names[i], O_PATH | O_NOFOLLOW | O_CLOEXEC);
		if (next < 0 && errno == ENOENT) {
			int made = make_one(s, at, names[i], last ? directory : true, !last && !s->recursive);
			next = made >= 0 ? fcntl(made, F_DUPFD_CLOEXEC, 3) : -1;
		}
		fd_close(&at);
		at = next;
	}
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static void stub_remove(const struct stub *s)
{
	struct stat ours, there, parent;
	if (s->keep || fstat(s->fd, &ours) != 0 || fstat(s->parent_fd, &parent) != 0 ||
	    fstatat(s->parent_fd, s->name, &there, AT_SYMLINK_NOFOLLOW) != 0)
		return;
	if (ours.st_dev != there.st_dev || ours.st_ino != there.st_ino || (!s->directory && there.st_size != 0))
		return;
	if (unlinkat(s->parent_fd, s->name, s->directory ? AT_REMOVEDIR : 0) != 0)
		return;
	/* Times: as before the stub, unless the step changed the directory in between. */
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
	g_free(s);
}
