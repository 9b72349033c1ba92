/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ssh_mount: a socket in a step that reaches an agent of the client, for listing and signing only.
 *
 *	ssh_mount *s = ssh_mount_new(pb, work, &skipped, error);
 *	... mount ssh_mount_fd(s) with selector SSH_MOUNT_NAME ...
 *	ssh_mount_free(s);                    ends its connections
 *
 * A thread of its own accepts; each connection has one that carries request and answer in turn. Thread: any.
 */
#pragma once
#include "base/work.h"
#include "ops.pb-c.h"
#include "session/session.h"

typedef struct ssh_mount ssh_mount;
#define SSH_MOUNT_NAME "ssh_auth_sock"

/* NULL without an error: optional and not offered. Errors: `no SSH key "x" forwarded from the client`. */
ssh_mount *ssh_mount_new(const Pb__SSHOpt *pb, struct work *work, GError **error);
int ssh_mount_fd(const ssh_mount *s); /* a detached tmpfs; borrowed */
void ssh_mount_free(ssh_mount *s);

/* One connection's proxy, for tests: until either side ends or c is set. Takes nothing. */
struct ssh_pipe {
	bool (*send)(void *data, const uint8_t *bytes, size_t n, GError **error);
	GBytes *(*recv)(void *data, GError **error); /* NULL: ended */
	void *data;
};
void ssh_mount_serve(int fd, const struct ssh_pipe *agent, cancel *c);
