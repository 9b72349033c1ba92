/* SPDX-License-Identifier: Apache-2.0 */
#include "self.h"
#include "fail.h"
#include "sys.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

extern char **environ;

static bool is_sealed(int fd)
{
	int seals = fcntl(fd, F_GET_SEALS);
	return seals >= 0 && (seals & SEALS) == SEALS;
}

static int copy_of(int fd)
{
	struct stat st;
	auto_fd copy = memfd_create("buildkit-runc", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (copy < 0 || fstat(fd, &st) != 0)
		return -errno;
	for (off_t done = 0; done < st.st_size;) {
		ssize_t n = sendfile(copy, fd, NULL, (size_t)(st.st_size - done));
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		done += n;
	}
	if (fchmod(copy, 0555) != 0 || fcntl(copy, F_ADD_SEALS, SEALS) != 0)
		return -errno;
	int result = copy;
	copy = -1;
	return result;
}

void self_protect(char **argv)
{
	auto_fd self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	if (self < 0)
		fail(PHASE_PROGRAM, errno, "open the buildkit-runc binary");
	if (is_sealed(self))
		return;
	int copy = copy_of(self);
	if (copy < 0)
		fail(PHASE_PROGRAM, -copy, "copy the buildkit-runc binary");
	fexecve(copy, argv, environ);
	if (errno == ENOENT) {
		/* TOMOYO looks for the file as /dev/fd/N, which does not exist in every chroot. */
		char path[32];
		snprintf(path, sizeof path, "/proc/self/fd/%d", copy);
		execve(path, argv, environ);
	}
	fail(PHASE_PROGRAM, errno, "execute the copy of the buildkit-runc binary");
}
