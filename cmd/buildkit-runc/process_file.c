/* SPDX-License-Identifier: Apache-2.0 */
#include "process_file.h"
#include "fail.h"
#include "sys.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

void process_stdio(struct plan *p, struct config *c)
{
	for (uint32_t i = 0; i < 3; i++)
		p->stdio[i] = c->n_sources + i;
}

int *process_fds(struct config *c)
{
	int *opened = config_open(c);
	int *fds = json_room(c->n_sources + 3, sizeof *fds);
	memcpy(fds, opened, c->n_sources * sizeof *fds);
	for (int i = 0; i < 3; i++)
		fds[c->n_sources + (uint32_t)i] = i;
	return fds;
}

void process_write_pid(const char *path, pid_t pid)
{
	char temporary[4096], text[16];
	if (path == NULL || path[0] == '\0')
		return;
	int n = snprintf(temporary, sizeof temporary, "%s.%d", path, (int)getpid());
	snprintf(text, sizeof text, "%d", (int)pid);
	if (n < 0 || (size_t)n >= sizeof temporary)
		fail(PHASE_PLAN, ENAMETOOLONG, "write %s", path);
	auto_fd fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	/* Renames a complete temporary file: readers wait for the name to appear. */
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) || rename(temporary, path) != 0)
		fail(PHASE_PLAN, errno, "write %s", path);
}

void process_send_console(const char *socket_path, int master_fd)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	static const char name[] = "/dev/ptmx";
	auto_fd fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (strlen(socket_path) >= sizeof address.sun_path)
		fail(PHASE_CONSOLE, ENAMETOOLONG, "console socket %s", socket_path);
	memcpy(address.sun_path, socket_path, strlen(socket_path));
	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address) != 0)
		fail(PHASE_CONSOLE, errno, "console socket %s", socket_path);
	int r = sys_send(fd, name, sizeof name - 1, &master_fd, 1);
	if (r != 0)
		fail(PHASE_CONSOLE, -r, "console socket %s", socket_path);
}
