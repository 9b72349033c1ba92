/* SPDX-License-Identifier: Apache-2.0 */
/*
 * workers: opens the daemon's workers: the OCI worker first, then the containerd worker; the first one is the default.
 *
 *	bool shared = !workers_want_private_mounts(config);
 *	if (!workers_open(&ws, &input, error)) ...            fails if there is no worker
 *	workers_close(&ws);
 *
 * "auto" enables the OCI worker if a runtime is found, and the containerd worker if its socket accepts connections.
 * Thread: main; immutable after open.
 */
#pragma once
#include "config.h"
#include "rpc/rpc.h"

#define WORKERS_MAX 2

struct workers {
	worker *list[WORKERS_MAX]; /* owned; default first */
	size_t n;
};
struct workers_input { /* all borrowed */
	const struct config *config;
	int root_fd;
	session_registry *sessions;
	rpc_loop *loop;
	cdi *cdi;     /* NULL: CDI is disabled */
	int trace_fd; /* see struct executor_options */
};
/*
 * Reports whether mounts may be made in a private mount namespace: false if the containerd worker is the only one,
 * because containerd's shims need to see the daemon's mounts, and with a proxy snapshotter, whose mounts the daemon needs
 * to see. Call before any thread starts.
 */
bool workers_want_private_mounts(const struct config *config);
bool workers_open(struct workers *ws, const struct workers_input *input, GError **error);
void workers_close(struct workers *ws);
bool config_allows(const struct config *config, const char *entitlement);
