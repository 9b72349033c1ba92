/* SPDX-License-Identifier: Apache-2.0 */
#include "os/service.h"
#include "base/scope.h"
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/un.h>

static guint64 number_of_env(const char *name, guint64 max)
{
	const char *text = g_getenv(name);
	guint64 value = 0;
	if (!text || !g_ascii_string_to_unsigned(text, 10, 0, max, &value, NULL))
		return 0;
	return value;
}

static char *notify_socket; /* never freed; NULL: no service manager */
static int64_t watchdog_us;

void service_begin(void)
{
	g_free(notify_socket);
	notify_socket = g_strdup(g_getenv("NOTIFY_SOCKET"));
	guint64 pid = number_of_env("WATCHDOG_PID", G_MAXINT32);
	bool ours = !g_getenv("WATCHDOG_PID") || pid == (guint64)getpid();
	watchdog_us = ours ? (int64_t)number_of_env("WATCHDOG_USEC", G_MAXINT64) : 0;
	g_unsetenv("NOTIFY_SOCKET");
	g_unsetenv("WATCHDOG_PID");
	g_unsetenv("WATCHDOG_USEC");
}

int64_t service_watchdog_us(void)
{
	return notify_socket ? watchdog_us : 0;
}

/* sd_notify(3): sends one datagram to the socket of NOTIFY_SOCKET; a leading '@' is an abstract name. */
bool service_notify(const char *state)
{
	const char *name = notify_socket;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t len = name ? strlen(name) : 0;
	if (len < 2 || len >= sizeof address.sun_path || (name[0] != '/' && name[0] != '@'))
		return false;
	memcpy(address.sun_path, name, len);
	if (name[0] == '@')
		address.sun_path[0] = '\0';
	scoped_fd fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	return sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&address, size) >= 0;
}

int *service_listen_fds(size_t *ret_n)
{
	enum { FIRST_FD = 3, FDS_MAX = 64 };
	guint64 pid = number_of_env("LISTEN_PID", G_MAXINT32);
	guint64 n = number_of_env("LISTEN_FDS", FDS_MAX);
	g_unsetenv("LISTEN_PID");
	g_unsetenv("LISTEN_FDS");
	g_unsetenv("LISTEN_FDNAMES");
	*ret_n = 0;
	if (pid != (guint64)getpid() || n == 0)
		return NULL;
	int *fds = g_new(int, n);
	for (guint64 i = 0; i < n; i++) {
		fds[i] = FIRST_FD + (int)i;
		fcntl(fds[i], F_SETFD, FD_CLOEXEC);
	}
	*ret_n = (size_t)n;
	return fds;
}

const char *machine_boot_id(void)
{
	static const char *id;
	if (g_once_init_enter(&id)) {
		g_autofree char *text = NULL;
		if (!g_file_get_contents("/proc/sys/kernel/random/boot_id", &text, NULL, NULL))
			text = g_strdup("unknown");
		g_once_init_leave(&id, g_intern_string(g_strstrip(text)));
	}
	return id;
}

bool disk_space(int dir_fd, int64_t *ret_total, int64_t *ret_free, GError **error)
{
	struct statvfs st;
	if (fstatvfs(dir_fd, &st) < 0)
		return error_set_errno(error, errno, "statvfs");
	*ret_total = (int64_t)(st.f_blocks * st.f_frsize);
	*ret_free = (int64_t)(st.f_bavail * st.f_frsize);
	return true;
}
