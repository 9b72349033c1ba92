/* SPDX-License-Identifier: Apache-2.0 */
#include "console.h"
#include "fail.h"
#include "inroot.h"
#include "mountfd.h"
#include "sys.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

struct console console_open(int devpts_fd, const struct plan *p)
{
	struct console c = {-1, -1};
	int unlocked = 0;
	/*
	 * Opens the terminal through the descriptor of a devpts that this process mounted, so that no path of the image
	 * can redirect it.
	 */
	c.master = openat(devpts_fd, "ptmx", O_RDWR | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);
	if (c.master < 0 || ioctl(c.master, TIOCSPTLCK, &unlocked) != 0)
		fail(PHASE_CONSOLE, errno, "open ptmx");
	c.slave = ioctl(c.master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (c.slave < 0)
		fail(PHASE_CONSOLE, errno, "open the terminal");
	if (p->rows != 0 || p->columns != 0) {
		const struct winsize size = {.ws_row = (unsigned short)p->rows, .ws_col = (unsigned short)p->columns};
		if (ioctl(c.master, TIOCSWINSZ, &size) != 0)
			fail(PHASE_CONSOLE, errno, "set the size of the terminal");
	}
	return c;
}

void console_bind(const struct console *c, int dev_fd)
{
	auto_fd place = inroot_ensure(dev_fd, "console", false);
	if (place < 0)
		fail(PHASE_CONSOLE, -place, "make /dev/console");
	auto_fd bound = mountfd_bind(place, c->slave, &(struct mountfd_change){0});
	if (bound < 0)
		fail(PHASE_CONSOLE, -bound, "bind /dev/console");
}

void console_take(struct console *c)
{
	if (ioctl(c->slave, TIOCSCTTY, 0) != 0)
		fail(PHASE_CONSOLE, errno, "set the controlling terminal");
	for (int fd = 0; fd < 3; fd++)
		if (dup2(c->slave, fd) < 0)
			fail(PHASE_CONSOLE, errno, "set standard descriptor %d to the terminal", fd);
	sys_close(&c->master);
	sys_close(&c->slave);
}
