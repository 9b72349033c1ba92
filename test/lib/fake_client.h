/* SPDX-License-Identifier: Apache-2.0 */
/* fake_client: a daemon with the Session method, and a client that serves the session services. */
#pragma once
#include "session/session.h"
#include "api/guard.h"
#include "auth.pb-c.h"
#include "content.pb-c.h"
#include "exporter.pb-c.h"
#include "filesync.pb-c.h"
#include "health.pb-c.h"
#include "policysession.pb-c.h"
#include "secrets.pb-c.h"
#include "ssh.pb-c.h"
#include <openssl/evp.h>

/* ---- services */

typedef Policysession__CheckPolicyResponse *(*fake_policy_fn)(const Policysession__CheckPolicyRequest *m, void *data,
							      GError **error);
struct fake {
	fake_policy_fn policy; /* NULL: none */
	void *policy_data;
	const Policysession__CheckPolicyResponse
		*policy_extra; /* NULL: none; a message that is sent before the answer */
	GString *exported; /* requests to the Exporter service, one line each; NULL: the client has no such service */
	int export_code;   /* of the error of that service; 0: none */
	bool no_authority;
	bool false_signature;
	bool sick; /* health checks always fail */
	EVP_PKEY *key;
	GString *metadata; /* of the last stream, "key=value\n" */
	GByteArray *blob;  /* content returned by Read and stored by Write */
	bool have_blob;
	gint writes;
};

#define NEW_REPLY(type, init_fn)                                                                                       \
	type *reply = g_new(type, 1);                                                                                  \
	init_fn(reply)

/* ---- daemon and client */

struct pair {
	rpc_loop *loop;
	rpc_server *daemon;
	session_registry *registry;
	rpc_conn *conn;
	char *dir;
};

struct client {
	struct pair *pair;
	struct fake fake;
	rpc_server *server;
	rpc_call *call;
	GThread *thread;
	GError *error;
};

void pair_up(struct pair *p);
void pair_down(struct pair *p);
void client_start(struct client *c, struct pair *p, const char *id, const char *health_ms);
/* Returns the error with which the daemon ended the session, or NULL. */
void client_join(struct client *c);
void client_stop(struct client *c);
