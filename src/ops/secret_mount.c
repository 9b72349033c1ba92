/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/secret_mount.h"
#include "base/scope.h"
#include "os/file.h"
#include "os/mount.h"
#include "os/user_namespace.h"
#include "session/session.h"
#include <fcntl.h>
#include <sys/stat.h>

GBytes *secret_mount_value(const char *id, bool optional, struct work *work, GError **error)
{
	GBytes *value = NULL;
	g_autoptr(GError) why = NULL;
	if (session_secret_get(work->sessions, id, work->cancel, &value, &why))
		return value;
	if (!(optional && error_is(why, ERROR_NOT_FOUND)))
		g_propagate_error(error, g_steal_pointer(&why));
	return NULL;
}

static bool write_secret(int dir_fd, const Pb__SecretOpt *pb, const uint8_t *bytes, size_t n, GError **error)
{
	scoped_fd fd = openat(dir_fd, SECRET_MOUNT_NAME, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_set_errno(error, errno, "create secret");
	if (!file_write_all(fd, bytes, n))
		return error_set_errno(error, errno, "write secret");
	if (fchown(fd, pb->uid, pb->gid) != 0)
		return user_namespace_owner_error(error, errno, pb->uid, pb->gid, "set owner of secret");
	if (fchmod(fd, pb->mode & 0777) != 0)
		return error_set_errno(error, errno, "set mode of secret");
	return true;
}

/* The same of given bytes. */
static int secret_mount_make(const Pb__SecretOpt *pb, const void *bytes, size_t n, GError **error)
{
	/* Whole pages, plus one. */
	int64_t size = ((int64_t)n + 4095) / 4096 * 4096 + 4096;
	scoped_fd fd = mount_tmpfs(size, 0711, error);
	if (fd < 0) {
		g_prefix_error(error, "unable to setup secret mount: ");
		return -1;
	}
	return write_secret(fd, pb, bytes, n, error) ? fd_steal(&fd) : -1;
}

int secret_mount_open(const Pb__SecretOpt *pb, struct work *work, GError **error)
{
	if (*pb->id == '\0') {
		error_set(error, ERROR_INVALID_ARGUMENT, "secret ID missing from mount options");
		return -1;
	}
	g_autoptr(GBytes) value = secret_mount_value(pb->id, pb->optional, work, error);
	if (!value)
		return -1;
	size_t n;
	const void *bytes = g_bytes_get_data(value, &n);
	return secret_mount_make(pb, bytes, n, error);
}
