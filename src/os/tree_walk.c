/* SPDX-License-Identifier: Apache-2.0 */
#include "os/tree_walk.h"
#include "base/scope.h"
#include "os/dirlist.h"
#include "os/mount_id.h"
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum { OPEN_LEVELS = 8 }; /* most trees are not deeper */

struct handle {
	int fd; /* owned; -1: none, or closed to save fds */
	dev_t dev;
	ino_t ino;
};

/* A directory that was entered and not left yet. */
struct level {
	struct handle dir, pair;
	struct dirlist list, pair_list; /* entries of both; pair_list: only those to merge */
	size_t next, pair_next;
	bool is_read, merge;
	size_t path_len, name_at; /* of its path, and of its name in it */
	void *data;               /* owned */
};

struct tree_walk {
	struct tree_walk_options options;
	GArray *levels;  /* of struct level, the current directory last */
	size_t n_paired; /* the outer levels have a counterpart */
	size_t current;  /* level of the directory that contains the entry */
	GString *path;   /* of the current entry */
	struct tree_entry entry;
	uint64_t mount_id;
};

static struct level *level_at(const tree_walk *w, size_t i)
{
	return &g_array_index(w->levels, struct level, i);
}

static void pop(tree_walk *w)
{
	struct level *l = level_at(w, w->levels->len - 1);
	fd_close(&l->dir.fd);
	fd_close(&l->pair.fd);
	dirlist_clear(&l->list);
	dirlist_clear(&l->pair_list);
	if (l->data && w->options.data_clear)
		w->options.data_clear(l->data);
	g_free(l->data);
	g_array_set_size(w->levels, w->levels->len - 1);
	w->n_paired = MIN(w->n_paired, w->levels->len);
}

/* A directory that could not be recognised later stays open. */
static void handle_suspend(struct handle *h)
{
	struct stat st;
	if (h->fd < 0 || fstat(h->fd, &st) < 0)
		return;
	h->dev = st.st_dev;
	h->ino = st.st_ino;
	fd_close(&h->fd);
}

static bool handle_resume(struct handle *h, const struct handle *child, const char *path, GError **error)
{
	struct stat st;
	if (h->fd >= 0)
		return true;
	scoped_fd fd = openat(child->fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_set_errno(error, errno, "open the parent directory of %s", path);
	if (st.st_dev != h->dev || st.st_ino != h->ino)
		return error_set(error, ERROR_ABORTED, "directory %s was moved while its tree was walked", path);
	h->fd = fd_steal(&fd);
	return true;
}

tree_walk *tree_walk_new(const struct tree_walk_options *options)
{
	tree_walk *w = g_new0(tree_walk, 1);
	w->options = *options;
	w->levels = g_array_new(FALSE, FALSE, sizeof(struct level));
	w->path = g_string_new(NULL);
	return w;
}

tree_walk *tree_walk_open(int dir_fd, const struct tree_walk_options *options, GError **error)
{
	g_autoptr(tree_walk) w = tree_walk_new(options);
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_null_errno(error, errno, "open directory");
	return tree_walk_enter_fd(w, fd, NULL, error) ? g_steal_pointer(&w) : NULL;
}

void tree_walk_free(tree_walk *w)
{
	if (!w)
		return;
	while (w->levels->len > 0)
		pop(w);
	g_array_unref(w->levels);
	g_string_free(w->path, TRUE);
	g_free(w);
}

static bool read_names(const tree_walk *w, struct level *l, GError **error)
{
	const struct tree_walk_options *o = &w->options;
	bool ok = true;
	if (o->removes && l->next == l->list.n) {
		dirlist_clear(&l->list);
		l->next = 0;
		ok = dirlist_read_unsorted(&l->list, l->dir.fd, 1, error);
	} else if (!o->removes && !l->is_read) {
		ok = o->sorted ? dirlist_read(&l->list, l->dir.fd, error)
			       : dirlist_read_unsorted(&l->list, l->dir.fd, SIZE_MAX, error);
		ok = ok && (!l->merge || dirlist_read(&l->pair_list, l->pair.fd, error));
	}
	l->is_read = true;
	return ok || error_prefix(error, "directory %s: ", w->path->len > 0 ? w->path->str : ".");
}

/* Returns the next name of both lists, in their order and once. */
static const char *take_name(struct level *l, uint8_t *ret_type)
{
	const char *name = l->next < l->list.n ? dirlist_name(&l->list, l->next) : NULL;
	const char *other = l->pair_next < l->pair_list.n ? dirlist_name(&l->pair_list, l->pair_next) : NULL;
	int order = !other ? -1 : !name ? 1 : strcmp(name, other);
	if (!name && !other)
		return NULL;
	*ret_type = order <= 0 ? l->list.items[l->next].type : l->pair_list.items[l->pair_next].type;
	l->next += order <= 0;
	l->pair_next += order >= 0;
	return order <= 0 ? name : other;
}

static const struct tree_entry *leave(tree_walk *w, struct level *l, GError **error)
{
	struct tree_entry *e = &w->entry;
	size_t n = w->levels->len;
	struct level *parent = n > 1 ? level_at(w, n - 2) : NULL;
	if (parent && (!handle_resume(&parent->dir, &l->dir, w->path->str, error) ||
		       (w->n_paired == n && !handle_resume(&parent->pair, &l->pair, w->path->str, error))))
		return NULL;
	e->path = w->path->str;
	e->name = w->path->str + l->name_at;
	e->type = DT_DIR;
	e->left = true;
	e->parent_fd = parent ? parent->dir.fd : -1;
	return e;
}

const struct tree_entry *tree_walk_next(tree_walk *w, GError **error)
{
	if (w->entry.left)
		pop(w);
	w->entry.left = false;
	if (w->levels->len == 0 || !cancel_check(w->options.cancel, error))
		return NULL;
	w->current = w->levels->len - 1;
	struct level *l = level_at(w, w->current);
	g_string_truncate(w->path, l->path_len);
	if (!read_names(w, l, error))
		return NULL;
	struct tree_entry *e = &w->entry;
	*e = (struct tree_entry){.dir_fd = l->dir.fd, .pair_fd = l->pair.fd, .parent_fd = -1, .data = l->data};
	const char *name = take_name(l, &e->type);
	if (!name)
		return leave(w, l, error);
	if (l->path_len > 0)
		g_string_append_c(w->path, '/');
	size_t name_at = w->path->len;
	g_string_append(w->path, name);
	e->path = w->path->str;
	e->name = w->path->str + name_at;
	return e;
}

bool tree_walk_is_done(const tree_walk *w)
{
	return w->levels->len == 0;
}

bool tree_walk_enter(tree_walk *w, GError **error)
{
	int fd = openat(w->entry.dir_fd, w->entry.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ||
		       error_set_errno(error, errno, "open directory %s", w->path->str);
	return tree_walk_enter_fd(w, fd, NULL, error);
}

bool tree_walk_enter_fd(tree_walk *w, int fd, const void *data, GError **error)
{
	const struct tree_walk_options *o = &w->options;
	struct level l = {.dir = {.fd = fd}, .pair = {.fd = -1}, .path_len = w->path->len};
	bool top = w->levels->len == 0, ok = true, other_mount = false;
	uint64_t mount_id = 0;
	if (o->max_depth > 0 && w->levels->len > (size_t)o->max_depth)
		ok = error_set(error, ERROR_RESOURCE_EXHAUSTED, "directories nested deeper than %d", o->max_depth);
	else if (o->one_mount && !mount_id_of(fd, &mount_id))
		ok = error_set_errno(error, errno, "stat directory %s", w->path->str);
	else if (o->one_mount && top)
		w->mount_id = mount_id;
	else if (o->one_mount)
		other_mount = mount_id != w->mount_id;
	if (o->data_size > 0)
		l.data = data ? g_memdup2(data, o->data_size) : g_malloc0(o->data_size);
	l.name_at = top ? 0 : (size_t)(w->entry.name - w->entry.path);
	g_array_append_val(w->levels, l);
	if (!ok || other_mount)
		pop(w);
	else if (w->levels->len > OPEN_LEVELS)
		handle_suspend(&level_at(w, w->levels->len - 1 - OPEN_LEVELS)->dir);
	return ok;
}

void tree_walk_pair(tree_walk *w, int fd, bool merge)
{
	struct level *l = level_at(w, w->n_paired++);
	l->pair.fd = fd;
	l->merge = merge;
	if (w->n_paired == w->current + 1)
		w->entry.pair_fd = fd;
	if (w->n_paired > OPEN_LEVELS)
		handle_suspend(&level_at(w, w->n_paired - 1 - OPEN_LEVELS)->pair);
}

size_t tree_walk_depth(const tree_walk *w)
{
	return w->levels->len;
}

size_t tree_walk_paired(const tree_walk *w)
{
	return w->n_paired;
}

int tree_walk_pair_fd(const tree_walk *w)
{
	return w->n_paired > 0 ? level_at(w, w->n_paired - 1)->pair.fd : -1;
}

void *tree_walk_data(const tree_walk *w, size_t level)
{
	return level_at(w, level)->data;
}

char *tree_walk_path(const tree_walk *w, size_t level)
{
	return g_strndup(w->path->str, level_at(w, level)->path_len);
}
