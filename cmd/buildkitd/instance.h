/* SPDX-License-Identifier: Apache-2.0 */
/*
 * instance: one running daemon: everything that runs, made in order and taken down in reverse.
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
/* Blocks until a signal asks to stop. */
void instance_wait(instance *d);
/* Takes everything down: running builds are canceled; a second signal ends the process at once. */
void instance_free(instance *d);

/* What the debug address shows. Thread: any. */
struct instance_counters {
	size_t builds, calls, sessions, vertices, running_ops;
};
struct instance_counters instance_get_counters(instance *d);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(instance, instance_free)
