/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ssh_socket: a unix socket that forwards bytes to an agent, or any socket, that the client offers. The client filters
 * agent requests, because only the client knows whether its socket is an agent ("raw" sockets are not).
 *
 *	g_autoptr(session) from = ssh_socket_find_session(group, "default", cancel, error);
 *	ssh_socket *s = ssh_socket_new(from, "default", &(struct ssh_socket_file){dir_fd, "agent", uid, gid, 0600}, c, error);
 *	ssh_socket_free(s);                    closes its connections; the file stays
 *
 * One thread accepts; each connection has two threads, one per direction. Thread: any.
 */
#pragma once
#include "session/session.h"
#include <sys/types.h>

typedef struct ssh_socket ssh_socket;
struct ssh_socket_file {
	int dir_fd; /* borrowed for the call */
	const char *name;
	uid_t uid;
	gid_t gid;
	mode_t mode;
};
/* Returns the session that offers the agent, owned. Errors: `no SSH key "x" forwarded from the client`. */
session *ssh_socket_find_session(session_group *g, const char *id, cancel *c, GError **error);
/* c may be NULL. */
ssh_socket *ssh_socket_new(session *from, const char *id, const struct ssh_socket_file *file, cancel *c,
			   GError **error);
void ssh_socket_free(ssh_socket *s);

/* Runs the proxy of one connection, for tests: until either side ends or c is set. Takes nothing. */
struct ssh_pipe {
	bool (*send)(void *data, const uint8_t *bytes, size_t n, GError **error);
	GBytes *(*recv)(void *data, GError **error); /* NULL: ended; called on a second thread */
	void (*end)(void *data, bool whole);         /* stop sending; not whole: recv ends too */
	void *data;
};
void ssh_socket_serve(int fd, const struct ssh_pipe *agent, cancel *c);
