/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rpc_pair: a server and a client of it, joined by a socket pair.
 *
 *	struct rpc_pair p;
 *	rpc_pair_init(&p);
 *	rpc_server_add(p.server, methods, G_N_ELEMENTS(methods), data);
 *	rpc_pair_connect(&p);
 *	reply = rpc_unary(p.conn, ...);
 *	rpc_pair_clear(&p);
 *
 * Thread: any, one at a time.
 */
#pragma once
#include "rpc/rpc.h"

struct rpc_pair {
	rpc_loop *loop;
	rpc_server *server;
	rpc_conn *served; /* the server's end */
	rpc_conn *conn;   /* the client's end */
};

void rpc_pair_init(struct rpc_pair *p);
/* Call it after the methods are added. */
void rpc_pair_connect(struct rpc_pair *p);
/* Cancels the calls and waits for their handlers. */
void rpc_pair_clear(struct rpc_pair *p);
