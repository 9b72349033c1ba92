/* SPDX-License-Identifier: Apache-2.0 */
#include "os/dir_chain.h"
#include "base/scope.h"
#include <fcntl.h>
#include <sys/stat.h>

enum { OPEN_MAX_LINKS = 8 }; /* most trees are not deeper */

struct link {
	int fd; /* owned; -1 while closed */
	dev_t dev;
	ino_t ino;
};

struct dir_chain {
	GArray *links; /* of struct link, the innermost last */
};

static void link_clear(gpointer data)
{
	fd_close(&((struct link *)data)->fd);
}

static struct link *link_at(const dir_chain *c, guint from_end)
{
	return &g_array_index(c->links, struct link, c->links->len - 1 - from_end);
}

dir_chain *dir_chain_new(void)
{
	dir_chain *c = g_new0(dir_chain, 1);
	c->links = g_array_new(FALSE, FALSE, sizeof(struct link));
	g_array_set_clear_func(c->links, link_clear);
	return c;
}

void dir_chain_free(dir_chain *c)
{
	if (!c)
		return;
	g_array_unref(c->links);
	g_free(c);
}

bool dir_chain_push(dir_chain *c, int fd, GError **error)
{
	struct stat st;
	if (fstat(fd, &st) < 0) {
		error_set_errno(error, errno, "stat directory");
		close(fd);
		return false;
	}
	struct link l = {fd, st.st_dev, st.st_ino};
	g_array_append_val(c->links, l);
	if (c->links->len > OPEN_MAX_LINKS)
		fd_close(&link_at(c, OPEN_MAX_LINKS)->fd);
	return true;
}

/* Reopens a directory that was closed, from its child. */
static bool reopen(struct link *l, int child_fd, GError **error)
{
	struct stat st;
	scoped_fd fd = openat(child_fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_set_errno(error, errno, "open parent directory");
	if (st.st_dev != l->dev || st.st_ino != l->ino)
		return error_set(error, ERROR_ABORTED, "a directory was moved while its tree was walked");
	l->fd = fd_steal(&fd);
	return true;
}

bool dir_chain_pop(dir_chain *c, GError **error)
{
	g_assert(c->links->len > 0);
	bool ok = c->links->len == 1 || link_at(c, 1)->fd >= 0 || reopen(link_at(c, 1), link_at(c, 0)->fd, error);
	if (ok)
		g_array_set_size(c->links, c->links->len - 1);
	return ok;
}

int dir_chain_fd(const dir_chain *c)
{
	return c->links->len > 0 ? link_at(c, 0)->fd : -1;
}

size_t dir_chain_depth(const dir_chain *c)
{
	return c->links->len;
}
