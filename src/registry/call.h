/* SPDX-License-Identifier: Apache-2.0 */
/*
 * call: sends requests to the endpoints of a registry, with authorization, retries and the request slots of its domain.
 *
 *	struct call call;
 *	if (!http_call_begin(&call, r, ref, auth, options, work, CALL_PULL, error)) return false;
 *	call_url(&call, endpoint, "manifests", "latest"); call_do(&call, endpoint, last, &q, &reply, error);
 *	http_call_end(&call);
 *
 * Thread: one at a time per call.
 */
#pragma once
#include "registry/authorizer.h"
#include "registry/hosts.h"

enum call_scope { CALL_PULL, CALL_PUSH };

struct call {
	registry *r;
	const reference *ref;
	struct auth_client auth_client;
	char *identity;       /* owned */
	GPtrArray *endpoints; /* owned; of struct endpoint * */
	char *scopes[3];      /* owned; the second one is for a mount */
};

bool http_call_begin(struct call *call, registry *r, const reference *ref, const struct registry_auth *auth,
		     bool insecure, struct work *work, enum call_scope scope, GError **error);
void http_call_end(struct call *call);
typedef struct call registry_call;
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(registry_call, http_call_end)

/* scheme://host of an endpoint, with the scheme that it supports. Owned. */
char *call_origin(const struct call *call, const struct endpoint *e);
/* scheme://host/v2/[prefix/]repository/kind/name[?ns=domain]. Owned. */
char *call_url(const struct call *call, const struct endpoint *e, const char *kind, const char *name);

struct call_options {
	bool is_last;      /* there is no other endpoint: then server errors are retried */
	bool retry_broken; /* also retry broken connections; not while a body is streamed */
	bool anonymous;    /* without authorization (an upload to another host) */
	unsigned retries;
	enum transport_failure failure; /* set by call_do when it fails */
};
/* Any final status is a success. Give q.headers without User-Agent and Authorization. */
bool call_do(struct call *call, const struct endpoint *e, struct transport_request *q, struct call_options *o,
	     transport_reply *ret_reply, GError **error);

/* Waits before try n+1 (0, 1, ...) and logs the reason on the vertex. */
bool call_back_off(struct call *call, unsigned n, int wait_s, const char *why, GError **error);

/* Request slots of a domain; documents may use one more than layers, so that a resolve never waits for a download. */
bool call_slot_take(struct call *call, bool is_document, GError **error);
void call_slot_give(struct call *call);
