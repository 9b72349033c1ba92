/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
#include "cache/record.h"
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
	scoped_fd fd = openat(c->trash_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		return 0;
	fd_steal(&fd);
	for (const struct dirent *entry; (entry = readdir(dir));)
		if (entry->d_name[0] != '.' && discard(c, c->trash_fd, entry->d_name))
			n += tree_remove_at(c->trash_fd, entry->d_name, NULL);
	closedir(dir);
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
