/* SPDX-License-Identifier: Apache-2.0 */
/*
 * detached: a directory for mounts that are not attached yet, for tests of mounts on old kernels (mount_use_directory).
 *
 *	char *directory = detached_open();
 *	detached_close(directory);
 *
 * Needs a private mount namespace. Thread: one.
 */
#pragma once
#include "lib/outcome.h"
#include "os/mount.h"
#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

static inline char *detached_open(void)
{
	char *directory = g_dir_make_tmp("detached-XXXXXX", NULL);
	scoped_fd fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_succeeds(mount_use_directory(fd, &failure));
	return directory;
}

static inline void detached_close(char *directory)
{
	if (!directory)
		return;
	umount2(directory, MNT_DETACH);
	rmdir(directory);
	g_free(directory);
}
