/* SPDX-License-Identifier: Apache-2.0 */
/*
 * solve: one build as a client drives it: session, Solve, Status and the gateway calls at once.
 *
 *	struct solve_options o = {.frontend = "dockerfile.v0", .attrs = attrs, .services = s, .display = d, ...};
 *	solve_run(conn, &o, cancel, &result, error);
 *
 * What happens on the wire: daemon-and-client.md section 1.7. Everything in the options is borrowed.
 * Thread: blocks one; starts three of its own that end with it.
 */
#pragma once
#include "client/display.h"
#include "client/services.h"
#include "ops.pb-c.h"
#include "policy.pb-c.h"
#include "rpc/rpc.h"

struct solve_target { /* an exporter or a cache entry */
	const char *type;
	GHashTable *attrs;
};
struct solve_options {
	rpc_loop *loop;
	const char *ref;      /* the build's id */
	const char *frontend; /* NULL: definition */
	GHashTable *attrs;    /* of the frontend, char * to char * */
	const Pb__Definition *definition;
	services *services;
	const char *shared_key;
	const struct solve_target *exporters, *cache_exports, *cache_imports;
	size_t n_exporters, n_cache_exports, n_cache_imports;
	const char *const *entitlements;     /* NULL-terminated */
	const Policy__Policy *source_policy; /* NULL: none */
	bool proxy_network;
	display *display;
};
struct solve_result {
	GHashTable *response; /* exporter response, char * to char * */
	GHashTable *metadata; /* of the frontend's result, char * to GBytes *; NULL without a frontend */
};
/* Errors are the daemon's, details included, without the "failed to solve: " in front. */
bool solve_run(rpc_conn *conn, const struct solve_options *options, cancel *c, struct solve_result *ret,
	       GError **error);
void solve_result_clear(struct solve_result *r);
