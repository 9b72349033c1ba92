/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker: the stores, caches and executor that builds use.
 *
 *	worker *w = worker_open(&options, error);             OCI worker
 *	worker *w = worker_open_containerd(&options, error);  containerd worker
 *	w->cache, w->executor, w->registry ...
 *
 * The OCI worker has an OCI runtime, and snapshots and blobs in the state directory; containerd provides them otherwise.
 *
 * Plain struct: members are owned by the worker and live as long as it. Thread: immutable after open.
 */
#pragma once
#include "cache/cache.h"
#include "cdi/cdi.h"
#include "containerd/ctd_tasks.h"
#include "executor/executor.h"
#include "registry/registry.h"
#include "session/session.h"
#include "source/source.h"
#include "worker/fingerprint_store.h"
#include "worker/platforms.h"

struct gc_rule {
	bool all;
	char **filters;
	int64_t keep_duration_ns, reserved_bytes, max_used_bytes, min_free_bytes;
};
typedef struct worker {
	char *id;
	int root_fd; /* owned: <root>/runc-<snapshotter> or <root>/containerd-<snapshotter> */
	char *root_path;
	GHashTable *labels;         /* char * to char * */
	struct platform *platforms; /* the configured ones; NULL: detected */
	size_t n_platforms;
	platform_list *detected; /* owned; NULL: platforms are configured */
	struct gc_rule *gc;
	size_t n_gc;
	cache *cache;
	blob_store *blobs;
	network_provider *network;
	executor *executor;
	registry *registry;
	session_registry *sessions; /* borrowed from the daemon */
	cdi *cdi;                   /* borrowed from the daemon; NULL: no CDI devices */
	struct source_context source_context;
	const struct image_store *images;   /* borrowed from backing; NULL: none */
	struct containerd_backing *backing; /* owned; NULL: the OCI worker */
	struct worker_proxy *proxy;         /* owned; NULL: the OCI worker has our snapshotters */
	int max_parallelism;
	fingerprint_store *fingerprints; /* NULL: misses are not explained */
	GHashTable *cache_mounts;        /* ops/cache_mount.c: shared writers by key */
	GMutex cache_mounts_mu;
} worker;

struct gc_options {
	bool enabled;
	struct gc_rule *rules; /* n_rules 0: the default policy */
	size_t n_rules;
	int64_t reserved_bytes, max_used_bytes, min_free_bytes; /* limits of the default policy; -1: computed */
};
struct containerd_options {
	const char *address, *namespace;
	struct ctd_runtime runtime;
};
/* Everything is borrowed and must outlive the worker. */
struct worker_options {
	int root_fd; /* the daemon's root */
	const char *root_path;
	session_registry *sessions;
	const struct registry_config *registry;
	cdi *cdi;                       /* may be NULL */
	rpc_loop *loop;                 /* to connect to containerd or a snapshotter */
	const char *snapshotter;        /* "auto" or a mode; of a proxy snapshotter, any name */
	const char *proxy_snapshotter;  /* path of its socket; NULL or "": none. OCI worker only */
	struct network_options network; /* the worker sets root_path and rootless */
	char **platforms;               /* NULL or empty: detected */
	int64_t platforms_max_age_ns;
	GHashTable *labels; /* in addition to the default labels; may be NULL */
	int64_t max_parallelism;
	bool explain_misses;
	struct gc_options gc;
	struct executor_options executor; /* the worker sets root_fd, root_path, bundle_runner, network and instance */
	struct containerd_options containerd;
};
/* Opens <root>/runc-<snapshotter>/. Errors name the object that could not be opened. */
worker *worker_open(const struct worker_options *options, GError **error);
/* Opens <root>/containerd-<snapshotter>/ and connects to containerd. Errors: UNAVAILABLE, naming the socket. */
worker *worker_open_containerd(const struct worker_options *options, GError **error);
void worker_close(worker *w);

/* Returns the platforms that can run here, the default first; valid until the worker is closed. Thread: any. */
const struct platform *worker_platforms(const worker *w, size_t *ret_n);
/* Returns the default GC policy, with upstream's rules. Free ret with gc_rules_free. */
struct gc_rule *gc_rules_default(int dir_fd, int64_t reserved, int64_t max_used, int64_t min_free, size_t *ret_n);
void gc_rules_free(struct gc_rule *rules, size_t n);
/* Runs the GC policy once. */
bool worker_gc(worker *w, cancel *c, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(worker, worker_close)
