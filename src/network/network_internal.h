/* SPDX-License-Identifier: Apache-2.0 */
/* network_internal: shared by the modes (network.c) and the pool (pool.c). Thread: as in network.h. */
#pragma once
#include "network/attachment.h"
#include "network/network.h"

struct network_namespace {
	network_provider *owner; /* borrowed */
	attachment *attachment;  /* owned; NULL: an isolated one, which has: */
	int fd;                  /* owned */
	char *path;              /* owned; where it is mounted */
	bool pooled;             /* counted in owner->existing */
	bool changed;            /* a process could change it */
	gint64 idle_since_us;
};
struct network_provider {
	bool host;
	char *dir;                   /* <root>/net/cni */
	char *isolated_dir;          /* <root>/net/proxy */
	char *created_bridge;        /* NULL: none that must be removed */
	char *bridge_record;         /* <root>/net/bridge */
	struct network_users *users; /* NULL: not mode bridge */
	struct attachment_site site;
	int64_t pool_size, idle_us;
	cancel *closing; /* of creation in advance */
	GMutex mu;       /* guards the rest */
	GCond cond;
	GQueue available; /* of network_namespace *, the one that is unused for the longest time first */
	GQueue removed;   /* of network_namespace *, to be removed by the thread */
	size_t existing;  /* of the pool, including those that steps use */
	bool filling;     /* false after a failure, until a namespace can be created again */
	bool stopping;
	GThread *thread;
};
/* ---- pool.c */

/* Starts the thread. */
bool network_pool_start(network_provider *n, GError **error);
/* Ends the thread and removes all namespaces. */
void network_pool_stop(network_provider *n);

/* ---- isolated.c */

/* Removes an isolated namespace. */
void network_remove_isolated(network_namespace *ns);
/* Removes those that a killed daemon has left, and creates the directory. */
bool network_prepare_isolated(network_provider *n, GError **error);
