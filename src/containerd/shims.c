/* SPDX-License-Identifier: Apache-2.0 */
#include "containerd/shims.h"
#include "base/scope.h"
#include "os/dirlist.h"
#include "os/process_fd.h"
#include <fcntl.h>
#include <signal.h>
#include <string.h>

#define COMMAND_BYTES 4096
#define PROGRAM "containerd-shim"

/* Arguments, each NUL-terminated; their total length in bytes. */
static size_t read_command(int proc_fd, const char *pid, char *text)
{
	g_autofree char *path = g_strconcat(pid, "/cmdline", NULL);
	scoped_fd fd = openat(proc_fd, path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, COMMAND_BYTES - 1);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	return (size_t)n;
}

/* Returns the value of "-id" if it is a shim's command line; borrowed from the text. */
static const char *container_of(const char *text, size_t n)
{
	const char *slash = strrchr(text, '/');
	bool wanted = false;
	if (!g_str_has_prefix(slash ? slash + 1 : text, PROGRAM))
		return NULL;
	for (size_t at = strlen(text) + 1; at < n; at += strlen(text + at) + 1) {
		if (wanted)
			return text + at;
		wanted = strcmp(text + at, "-id") == 0;
	}
	return NULL;
}

static void kill_if_listed(int proc_fd, const char *pid, GHashTable *ids)
{
	char text[COMMAND_BYTES];
	guint64 number = 0;
	if (!g_ascii_string_to_unsigned(pid, 10, 1, G_MAXINT32, &number, NULL))
		return;
	/* Opens the process first, so that the data read belongs to the process that is killed. */
	scoped_fd fd = process_fd_open((pid_t)number);
	size_t n = fd < 0 ? 0 : read_command(proc_fd, pid, text);
	const char *id = n > 0 ? container_of(text, n) : NULL;
	if (id && g_hash_table_contains(ids, id) && process_fd_signal(fd, SIGKILL) == 0)
		g_hash_table_remove(ids, id);
}

void shims_kill(GHashTable *ids)
{
	scoped_fd fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	scoped_dirlist list = {0};
	if (fd >= 0)
		dirlist_read(&list, fd, NULL);
	for (size_t i = 0; i < list.n; i++)
		if (g_ascii_isdigit(dirlist_name(&list, i)[0]))
			kill_if_listed(fd, dirlist_name(&list, i), ids);
}
