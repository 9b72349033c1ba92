/* SPDX-License-Identifier: Apache-2.0 */
/*
 * instance: a running daemon: starts all parts in order and stops them in reverse order.
 *
 *	g_autoptr(instance) d = instance_start(&config, error);
 *	instance_wait(d);                                    until SIGTERM or SIGINT
 *
 * Thread: main.
 */
#pragma once
#include "config.h"
#include "builder/build.h"
#include "rpc/rpc.h"

typedef struct instance instance;

instance *instance_start(const struct config *config, GError **error);
/* Blocks until SIGTERM or SIGINT is received; after SIGTERM it drains if a drain timeout is configured. */
void instance_wait(instance *d);
/* Cancels running builds and stops all parts; a second signal kills the process. */
void instance_free(instance *d);

/* Adds the counters that the debug address shows. Thread: any. */
struct instance_counters {
	size_t builds, calls, sessions, vertices, running_ops, network_namespaces;
};

G_DEFINE_AUTOPTR_CLEANUP_FUNC(instance, instance_free)
