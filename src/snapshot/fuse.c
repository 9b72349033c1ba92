/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshot/fuse.h"
#include "base/ident.h"
#include "base/log.h"
#include "base/scope.h"
#include "base/thread.h"
#include "os/mount.h"
#include "os/tree.h"
#include "snapshot/overlay.h"
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define PROGRAM "fuse-overlayfs"
#define MAX_LAYERS 500
#define MESSAGES_FD 2
#define MESSAGE_BYTES 512

/*
 * What is passed to the server: the streams, of which stderr is a file in memory, then the trees, the work directory and
 * the device.
 */
struct layers {
	GArray *fds; /* of int; owned, except -1 */
	GString *options;
};

static void layers_clear(struct layers *l)
{
	for (guint i = 0; i < l->fds->len; i++)
		if (g_array_index(l->fds, int, i) >= 0)
			close(g_array_index(l->fds, int, i));
	g_array_unref(l->fds);
	g_string_free(l->options, TRUE);
}

/* Takes fd. Names are those of the server's descriptors, so that they never contain ':' or ','. */
static bool add_layer(struct layers *l, int fd, const char *before)
{
	if (fd < 0)
		return false;
	g_string_append_printf(l->options, "%s/proc/self/fd/%u", before, l->fds->len);
	g_array_append_val(l->fds, fd);
	return true;
}

/* The copy of the device was added last: while it is open here, a request to a server that has ended would wait. */
static void layers_close_device(struct layers *l)
{
	close(g_array_index(l->fds, int, l->fds->len - 1));
	g_array_set_size(l->fds, l->fds->len - 1);
}

static bool open_layers(struct layers *l, const int *dirs, size_t n, bool write, GError **error)
{
	const int streams[] = {-1, -1, memfd_create("messages", MFD_CLOEXEC)};
	l->fds = g_array_new(FALSE, FALSE, sizeof(int));
	l->options = g_string_new(NULL);
	g_array_append_vals(l->fds, streams, G_N_ELEMENTS(streams));
	for (size_t i = write ? 1 : 0; i < n; i++)
		if (!add_layer(l, overlay_open_part(dirs[i], "fs", false, error),
			       i == (write ? 1u : 0u) ? "lowerdir=" : ":"))
			return false;
	return !write || (add_layer(l, overlay_open_part(dirs[0], "fs", false, error), ",upperdir=") &&
			  add_layer(l, overlay_make_work(dirs[0], error), ",workdir="));
}

static process *start_server(struct layers *l, int device_fd, GError **error)
{
	g_autofree char *program = g_find_program_in_path(PROGRAM);
	g_autofree char *device = g_strdup_printf("/dev/fd/%u", l->fds->len);
	int copy = fcntl(device_fd, F_DUPFD_CLOEXEC, 3);
	if (!program || copy < 0) {
		if (copy >= 0)
			close(copy);
		return error_null(error, ERROR_NOT_FOUND, "failed to find %s binary", PROGRAM);
	}
	g_array_append_val(l->fds, copy);
	const char *argv[] = {program, "-f", "-o", l->options->str, device, NULL};
	const struct process_spec spec = {.argv = argv,
					  .fds = (const int *)(const void *)l->fds->data,
					  .n_fds = l->fds->len,
					  .new_session = true};
	return process_start(&spec, error);
}

int fuse_mount(const int *dirs, size_t n, bool write, process **ret_server, GError **error)
{
	__attribute__((cleanup(layers_clear))) struct layers l = {0};
	struct stat st;
	if (n > MAX_LAYERS) {
		error_set(error, ERROR_RESOURCE_EXHAUSTED, "mount %zu layers: more than %d", n, MAX_LAYERS);
		l = (struct layers){g_array_new(FALSE, FALSE, sizeof(int)), g_string_new(NULL)};
		return -1;
	}
	if (!open_layers(&l, dirs, n, write, error))
		return -1;
	scoped_fd device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (device < 0) {
		error_set_errno(error, errno, "open /dev/fuse");
		return -1;
	}
	scoped_fd mount_fd = mount_fuse(PROGRAM, device, !write, error);
	process *server = mount_fd < 0 ? NULL : start_server(&l, device, error);
	if (!server)
		return -1;
	/* The first access waits for the server; it fails when the server has ended, because then the device is closed. */
	fd_close(&device);
	layers_close_device(&l);
	if (fstatat(mount_fd, ".", &st, 0) < 0) {
		int errnum = errno;
		fd_close(&mount_fd);
		mount_collect();
		fuse_end(server);
		char text[MESSAGE_BYTES + 1];
		ssize_t length = pread(g_array_index(l.fds, int, MESSAGES_FD), text, MESSAGE_BYTES, 0);
		text[MAX(length, 0)] = '\0';
		error_set_errno(error, errnum, "use a file system of " PROGRAM " (%s)", g_strchomp(text));
		return -1;
	}
	*ret_server = server;
	return fd_steal(&mount_fd);
}

static gpointer reap_thread(gpointer server)
{
	int status;
	process_wait(server, NULL, &status, NULL);
	process_free(server);
	return NULL;
}

void fuse_end(process *server)
{
	struct pollfd end = {.fd = server ? process_exit_fd(server) : -1, .events = POLLIN};
	if (!server)
		return;
	if (poll(&end, 1, 0) == 1) {
		process_free(server);
		return;
	}
	GThread *thread = thread_start("fuse", reap_thread, server, NULL);
	if (thread)
		g_thread_unref(thread);
	else
		log_warn("the end of " PROGRAM " (process %d) is not waited for: no thread", (int)process_pid(server));
}

static bool make_tree(int dir_fd, const char *name, int parent_fd, int *ret_fd, GError **error)
{
	if (mkdirat(dir_fd, name, 0700) < 0)
		return error_set_errno(error, errno, "create %s", name);
	*ret_fd = overlay_open_part(dir_fd, name, false, error);
	return *ret_fd >= 0 && overlay_prepare(*ret_fd, parent_fd, error);
}

static bool probe_in(int probe_fd, bool *ret_can_clone, GError **error)
{
	scoped_fd a = -1, b = -1;
	process *server = NULL;
	if (!make_tree(probe_fd, "a", -1, &a, error) || !make_tree(probe_fd, "b", a, &b, error))
		return false;
	scoped_fd mount_fd = fuse_mount((const int[]){b, a}, 2, true, &server, error);
	if (mount_fd < 0)
		return false;
	scoped_fd file = openat(mount_fd, "probe", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	bool ok = file >= 0 || error_set_errno(error, errno, "write to a file system of " PROGRAM);
	scoped_fd clone = mount_clone(mount_fd, false, NULL);
	*ret_can_clone = clone >= 0;
	fd_close(&file);
	fd_close(&clone);
	fd_close(&mount_fd);
	mount_collect();
	fuse_end(server);
	return ok;
}

bool fuse_probe(int root_fd, bool *ret_can_clone, GError **error)
{
	char name[6 + IDENT_SIZE] = "probe-";
	ident_new(name + 6);
	if (mkdirat(root_fd, name, 0700) < 0)
		return error_set_errno(error, errno, "create %s", name);
	scoped_fd probe = overlay_open_part(root_fd, name, false, error);
	bool ok = probe >= 0 && probe_in(probe, ret_can_clone, error);
	tree_remove_at(root_fd, name, NULL);
	return ok;
}
