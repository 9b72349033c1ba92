/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/rpc_pair.h"
#include <glib.h>
#include <sys/socket.h>

void rpc_pair_init(struct rpc_pair *p)
{
	*p = (struct rpc_pair){.loop = rpc_loop_new(NULL)};
	p->server = rpc_server_new(p->loop);
}

void rpc_pair_connect(struct rpc_pair *p)
{
	int fds[2];
	g_autoptr(GError) error = NULL;
	g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
	p->served = rpc_server_attach(p->server, fds[0], fds[0]);
	p->conn = rpc_connect_fds(p->loop, fds[1], fds[1], "localhost", &error);
	g_assert_no_error(error);
}

void rpc_pair_clear(struct rpc_pair *p)
{
	if (p->conn) {
		rpc_conn_close(p->conn);
		rpc_conn_unref(p->conn);
	}
	rpc_server_stop(p->server, 100);
	if (p->served)
		rpc_conn_unref(p->served);
	rpc_server_free(p->server);
	rpc_loop_free(p->loop);
}
