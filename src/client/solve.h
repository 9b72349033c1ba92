/* SPDX-License-Identifier: Apache-2.0 */
/*
 * solve: runs one build: session, Solve, Status and gateway calls in parallel.
 *
 *	struct solve_options o = {.frontend = "dockerfile.v0", .attrs = attrs, .services = s, .display = d, ...};
 *	solve_run(conn, &o, cancel, &result, error);
 *
 * All members of the options are borrowed. Thread: blocks the caller; starts three threads and joins them.
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
	const char *ref;      /* the ref of the build */
	const char *frontend; /* NULL: build a definition */
	GHashTable *attrs;    /* attributes of the frontend, char * to char * */
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
	GHashTable *metadata; /* metadata of the frontend's result, char * to GBytes *; NULL without a frontend */
};
/* Errors are the daemon's, with details, without the prefix "failed to solve: ". */
bool solve_run(rpc_conn *conn, const struct solve_options *options, cancel *c, struct solve_result *ret,
	       GError **error);
void solve_result_clear(struct solve_result *r);
