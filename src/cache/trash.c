/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include "cache/record.h"
#include "os/tree.h"

void trash_put(cache *c, int dir_fd, const char *name)
{
	g_autofree char *to = g_strdup_printf("%d-%s", g_atomic_int_add(&c->next_trash, 1), name);
	if (renameat(dir_fd, name, c->trash_fd, to) < 0 && errno != ENOENT)
		tree_remove_at(dir_fd, name, NULL);
}

void trash_empty(cache *c)
{
	g_mutex_lock(&c->trash_mu);
	tree_remove_contents(c->trash_fd, NULL);
	g_mutex_unlock(&c->trash_mu);
}
