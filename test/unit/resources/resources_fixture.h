/* SPDX-License-Identifier: Apache-2.0 */
/* resources_fixture: a directory with files as those of a cgroup or of /proc. Thread: one at a time. */
#pragma once
#include "base/scope.h"
#include "os/file.h"
#include "os/tree.h"
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

struct resource_fixture {
	char *path; /* owned */
	int fd;     /* owned */
};

static inline void resources_fixture_init(struct resource_fixture *f)
{
	f->path = g_dir_make_tmp("usage-XXXXXX", NULL);
	f->fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	g_assert_cmpint(f->fd, >=, 0);
}

static inline void resources_fixture_clear(struct resource_fixture *f)
{
	tree_remove_contents(f->fd, NULL);
	fd_close(&f->fd);
	g_assert_cmpint(rmdir(f->path), ==, 0);
	g_free(f->path);
}

static inline void resources_fixture_write(const struct resource_fixture *f, const char *name, const char *text)
{
	scoped_fd fd = openat(f->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	g_assert_true(file_write_all(fd, text, strlen(text)));
}
