/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/ssh_mount.h"
#include "base/limits.h"
#include "base/scope.h"
#include "os/mount.h"
#include "session/ssh_socket.h"

struct ssh_mount {
	ssh_socket *socket; /* owned */
	int fd;             /* owned */
};

/* Returns the session that offers the agent; NULL without an error if the agent is optional. */
static session *find_session(const Pb__SSHOpt *pb, struct work *work, GError **error)
{
	GError *why = NULL;
	session *found = ssh_socket_find_session(work->sessions, pb->id, work->cancel, &why);
	if (found)
		return found;
	if (pb->optional && !error_is(why, ERROR_CANCELED))
		g_error_free(why);
	else
		g_propagate_error(error, why);
	return NULL;
}

ssh_mount *ssh_mount_new(const Pb__SSHOpt *pb, struct work *work, GError **error)
{
	g_autoptr(session) from = find_session(pb, work, error);
	if (!from)
		return NULL;
	ssh_mount *s = g_new0(ssh_mount, 1);
	s->fd = mount_tmpfs(KIB(64), 0711, error);
	struct ssh_socket_file file = {s->fd, SSH_MOUNT_NAME, pb->uid, pb->gid, pb->mode};
	s->socket = s->fd >= 0 ? ssh_socket_new(from, pb->id, &file, work->cancel, error) : NULL;
	if (!s->socket) {
		ssh_mount_free(s);
		return NULL;
	}
	return s;
}

int ssh_mount_fd(const ssh_mount *s)
{
	return s->fd;
}

void ssh_mount_free(ssh_mount *s)
{
	ssh_socket_free(s->socket);
	fd_close(&s->fd);
	g_free(s);
}
