/* SPDX-License-Identifier: Apache-2.0 */
#include "os/mount_id.h"
#include "base/scope.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static bool id_of_proc(int fd, uint64_t *ret_id)
{
	char path[40], text[1024];
	unsigned long long id;
	g_snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
	scoped_fd info = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = info < 0 ? -1 : read(info, text, sizeof text - 1);
	if (n < 0)
		return false;
	text[n] = '\0';
	const char *at = strstr(text, "mnt_id:");
	errno = ENOENT;
	if (!at || sscanf(at, "mnt_id: %llu", &id) != 1)
		return false;
	*ret_id = id;
	return true;
}

bool mount_id_of(int fd, uint64_t *ret_id)
{
	struct statx st;
	if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &st) < 0)
		return false;
	if (!(st.stx_mask & STATX_MNT_ID))
		return id_of_proc(fd, ret_id);
	*ret_id = st.stx_mnt_id;
	return true;
}
