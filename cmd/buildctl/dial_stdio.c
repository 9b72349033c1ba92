/* SPDX-License-Identifier: Apache-2.0 */
#include "base/scope.h"
#include "command.h"
#include "os/file.h"
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define CHUNK (64 * 1024)

/* Copies one direction of the pipe. */
struct flow {
	int from, to;
	bool to_socket; /* EOF is passed on as a half-close */
	bool ended;
};

static int connect_unix(const char *address, GError **error)
{
	if (!g_str_has_prefix(address, "unix://")) {
		error_set(error, ERROR_INVALID_ARGUMENT, "invalid address %s: dial-stdio supports unix:// only",
			  address);
		return -1;
	}
	const char *path = address + strlen("unix://");
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof name.sun_path) {
		error_set(error, ERROR_INVALID_ARGUMENT, "socket path is too long: %s", path);
		return -1;
	}
	memcpy(name.sun_path, path, strlen(path) + 1);
	scoped_fd fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&name, sizeof name) < 0) {
		error_set_errno(error, errno, "dial unix %s: connect", path);
		return -1;
	}
	return fd_steal(&fd);
}

static void flow_step(struct flow *f, char *buffer)
{
	ssize_t n = read(f->from, buffer, CHUNK);
	if (n < 0 && errno == EINTR)
		return;
	if (n > 0 && file_write_all(f->to, buffer, (size_t)n))
		return;
	f->ended = true;
	if (f->to_socket)
		shutdown(f->to, SHUT_WR);
}

/* Returns when the daemon closes its side; remaining data from stdin is discarded. */
static bool run(struct context *x, const flags *f, GError **error)
{
	scoped_fd fd = connect_unix(flags_string(x->global, "addr"), error);
	if (fd < 0)
		return false;
	g_autofree char *buffer = g_malloc(CHUNK);
	struct flow up = {STDIN_FILENO, fd, true, false}, down = {fd, STDOUT_FILENO, false, false};
	while (!down.ended) {
		struct pollfd fds[] = {
			{.fd = up.ended ? -1 : up.from, .events = POLLIN},
			{.fd = down.from, .events = POLLIN},
		};
		if (cancel_poll(x->cancel, fds, G_N_ELEMENTS(fds), -1, error) < 0)
			return false;
		if (fds[0].revents)
			flow_step(&up, buffer);
		if (fds[1].revents)
			flow_step(&down, buffer);
	}
	return true;
}

const struct command dial_stdio_command = {.name = "dial-stdio", .run = run};
