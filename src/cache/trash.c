/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include "cache/record.h"
#include "os/dirlist.h"
#include "os/tree.h"

/* Returns false if the keeper of the tree could not be reached: the directory must then stay for another attempt. */
static bool discard(cache *c, int dir_fd, const char *name)
{
	scoped_fd fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 || snapshotter_discard(c->snapshotter, fd, NULL);
}

void trash_put(cache *c, int dir_fd, const char *name)
{
	g_autofree char *to = g_strdup_printf("%d-%s", g_atomic_int_add(&c->next_trash, 1), name);
	if (renameat(dir_fd, name, c->trash_fd, to) < 0 && errno != ENOENT && discard(c, dir_fd, name))
		tree_remove_at(dir_fd, name, NULL);
}

/* Returns the number of removed directories. */
static guint empty_once(cache *c)
{
	guint n = 0;
	scoped_dirlist list = {0};
	dirlist_read_at(&list, c->trash_fd, ".", NULL);
	for (size_t i = 0; i < list.n; i++) {
		const char *name = dirlist_name(&list, i);
		if (name[0] != '.' && discard(c, c->trash_fd, name))
			n += tree_remove_at(c->trash_fd, name, NULL);
	}
	return n;
}

void trash_empty(cache *c)
{
	g_mutex_lock(&c->trash_mu);
	if (!snapshotter_is_kept(c->snapshotter))
		tree_remove_contents(c->trash_fd, NULL);
	else
		while (empty_once(c) > 0)
			; /* a keeper releases a tree once no other tree is stacked on it */
	g_mutex_unlock(&c->trash_mu);
}
