/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mock_bridge: a bridge for tests of frontends: files from a table, images that always exist, recorded solves.
 *
 *	struct mock_bridge *m = mock_bridge_new();
 *	mock_bridge_file(m, "Dockerfile", "FROM scratch");
 *	dockerfile_frontend.solve(&m->bridge, options, NULL, NULL, &result, &error);
 *	m->last                                                the last definition
 *
 * Thread: any (.mu guards all).
 */
#pragma once
#include "api/guard.h"
#include "ops.pb-c.h"
#include "worker/bridge.h"
#include <string.h>

struct mock_bridge {
	bridge bridge;
	GMutex mu;
	GHashTable *files;      /* path to text */
	GHashTable *images;     /* ref (without digest) to config JSON; other images have the default config */
	GPtrArray *definitions; /* of Pb__Definition, in the order solved */
	GString *warnings;
	GString *requests; /* recorded requests, one per line */
	struct platform platform;
	bool forget; /* do not record definitions */
};
struct mock_ref {
	bridge_ref ref;
	int count;
	struct mock_bridge *m;
};

struct mock_bridge *mock_bridge_new(void);
void mock_bridge_file(struct mock_bridge *m, const char *path, const char *text);
void mock_bridge_free(struct mock_bridge *m);
