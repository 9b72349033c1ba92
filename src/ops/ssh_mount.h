/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ssh_mount: a socket in a step that forwards to the client's SSH agent, for listing keys and signing only.
 *
 *	ssh_mount *s = ssh_mount_new(pb, work, error);
 *	... mount ssh_mount_fd(s) with selector SSH_MOUNT_NAME ...
 *	ssh_mount_free(s);                    closes its connections
 *
 * session/ssh_socket.h implements the proxy. Thread: any.
 */
#pragma once
#include "base/work.h"
#include "ops.pb-c.h"
#include "session/session.h"

typedef struct ssh_mount ssh_mount;
#define SSH_MOUNT_NAME "ssh_auth_sock"

/* Returns NULL without an error: optional and not offered. Errors: `no SSH key "x" forwarded from the client`. */
ssh_mount *ssh_mount_new(const Pb__SSHOpt *pb, struct work *work, GError **error);
int ssh_mount_fd(const ssh_mount *s); /* a detached tmpfs; borrowed */
void ssh_mount_free(ssh_mount *s);
