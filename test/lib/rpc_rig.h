/* SPDX-License-Identifier: Apache-2.0 */
/* rpc_rig: a server with test methods on a unix socket, and a client of it. */
#pragma once
#include "rpc/rpc.h"
#include "api/guard.h"
#include "base/limits.h"
#include "filesync.pb-c.h"
#include "lib/event.h"
#include <glib/gstdio.h>
#include <poll.h>
#include <sys/socket.h>

typedef Filesync__BytesMessage bytes_message;
DEFINE_MESSAGE_AUTOPTR(bytes_message)

struct rig {
	rpc_loop *loop;
	rpc_server *server;
	rpc_conn *conn;
	char *dir;
	char *address;
	struct event hangs; /* calls of Hang that have ended */
};

/* Adds Echo, Fail, FailLong, FailHuge, EchoStream, Sink, Source and Hang of test.Rig. */
void rig_add_methods(rpc_server *server, struct event *hangs);
/* A zeroed rig without a listener or a connection. */
void rig_up_server(struct rig *r);
void rig_up(struct rig *r);
void rig_down(struct rig *r);
/* Declared first in a test, so that it is cleaned up last. */
#define scoped_rig __attribute__((cleanup(rig_down))) struct rig

bytes_message *rig_unary(rpc_conn *c, const char *path, const void *data, size_t n, GError **error);
