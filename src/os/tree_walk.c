/* SPDX-License-Identifier: Apache-2.0 */
#include "os/tree_walk.h"
#include "base/scope.h"
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum { OPEN_MAX_FRAMES = 64 };

struct frame {
	DIR *dir;   /* owned; NULL while closed to save fds */
	char *name; /* owned */
	uint64_t ino;
	uint32_t dev_major, dev_minor;
	long position; /* while closed */
};

struct tree_walk {
	GArray *frames; /* of struct frame, the current directory last */
	uint64_t mount_id;
	bool restart;
};

static void frame_clear(gpointer data)
{
	struct frame *f = data;
	if (f->dir)
		closedir(f->dir);
	g_free(f->name);
}

static struct frame *frame_at(const tree_walk *w, size_t from_top)
{
	return &g_array_index(w->frames, struct frame, w->frames->len - 1 - from_top);
}

static bool push(tree_walk *w, int fd, const struct statx *st, const char *name, GError **error)
{
	DIR *dir = fdopendir(fd);
	if (!dir) {
		error_set_errno(error, errno, "open directory %s", name);
		close(fd);
		return false;
	}
	struct frame f = {dir, g_strdup(name), st->stx_ino, st->stx_dev_major, st->stx_dev_minor, 0};
	g_array_append_val(w->frames, f);
	if (w->frames->len > OPEN_MAX_FRAMES) {
		struct frame *far = frame_at(w, OPEN_MAX_FRAMES);
		if (far->dir) {
			far->position = telldir(far->dir);
			closedir(far->dir);
		}
		far->dir = NULL;
	}
	return true;
}

tree_walk *tree_walk_new(int dir_fd, bool restart, GError **error)
{
	scoped_fd fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct statx st;
	if (fd < 0 || statx(fd, "", AT_EMPTY_PATH, STATX_INO | STATX_MNT_ID, &st) < 0)
		return error_null_errno(error, errno, "open directory");
	g_autoptr(tree_walk) w = g_new0(tree_walk, 1);
	w->frames = g_array_new(FALSE, FALSE, sizeof(struct frame));
	g_array_set_clear_func(w->frames, frame_clear);
	w->mount_id = st.stx_mnt_id;
	w->restart = restart;
	if (!push(w, fd_steal(&fd), &st, "", error))
		return NULL;
	return g_steal_pointer(&w);
}

void tree_walk_free(tree_walk *w)
{
	if (!w)
		return;
	g_array_unref(w->frames);
	g_free(w);
}

int tree_walk_fd(const tree_walk *w)
{
	return dirfd(frame_at(w, 0)->dir);
}

size_t tree_walk_depth(const tree_walk *w)
{
	return w->frames->len - 1;
}

const struct dirent *tree_walk_next(tree_walk *w, GError **error)
{
	for (;;) {
		errno = 0;
		const struct dirent *entry = readdir(frame_at(w, 0)->dir);
		if (!entry) {
			if (errno != 0)
				error_set_errno(error, errno, "read directory %s", frame_at(w, 0)->name);
			return NULL;
		}
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			return entry;
	}
}

enum tree_walk_result tree_walk_enter(tree_walk *w, const char *name, GError **error)
{
	scoped_fd fd = openat(tree_walk_fd(w), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct statx st;
	if (fd < 0 || statx(fd, "", AT_EMPTY_PATH, STATX_INO | STATX_MNT_ID, &st) < 0) {
		error_set_errno(error, errno, "open directory %s", name);
		return TREE_WALK_FAILED;
	}
	if (st.stx_mnt_id != w->mount_id)
		return TREE_WALK_OTHER_MOUNT;
	return push(w, fd_steal(&fd), &st, name, error) ? TREE_WALK_ENTERED : TREE_WALK_FAILED;
}

/* Reopens a directory that was closed to save fds, from its child. */
static bool reopen(struct frame *f, int child_fd, bool restart, GError **error)
{
	scoped_fd fd = openat(child_fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct statx st;
	if (fd < 0 || statx(fd, "", AT_EMPTY_PATH, STATX_INO, &st) < 0)
		return error_set_errno(error, errno, "reopen directory %s", f->name);
	if (st.stx_ino != f->ino || st.stx_dev_major != f->dev_major || st.stx_dev_minor != f->dev_minor)
		return error_set(error, ERROR_ABORTED, "directory %s was moved while the tree was walked", f->name);
	f->dir = fdopendir(fd);
	if (!f->dir)
		return error_set_errno(error, errno, "reopen directory %s", f->name);
	fd_steal(&fd);
	if (!restart)
		seekdir(f->dir, f->position);
	return true;
}

bool tree_walk_leave(tree_walk *w, char **ret_name, GError **error)
{
	g_assert(w->frames->len > 1);
	struct frame *parent = frame_at(w, 1);
	if (!parent->dir && !reopen(parent, tree_walk_fd(w), w->restart, error))
		return false;
	*ret_name = g_steal_pointer(&frame_at(w, 0)->name);
	g_array_set_size(w->frames, w->frames->len - 1);
	return true;
}
