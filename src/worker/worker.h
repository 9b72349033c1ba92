/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker: the bundle a build runs on.
 *
 *	worker *w = worker_open(&options, error);             steps by an OCI runtime, trees and blobs in the state directory
 *	worker *w = worker_open_containerd(&options, error);  all of that by containerd
 *	w->cache, w->executor, w->registry ...
 *
 * Plain struct: members are owned by the worker and live as long as it. Thread: immutable after open.
 */
#pragma once
#include "cache/cache.h"
#include "containerd/ctd_tasks.h"
#include "executor/executor.h"
#include "registry/registry.h"
#include "session/session.h"
#include "source/source.h"
#include "worker/fingerprint_store.h"

struct gc_rule {
	bool all;
	char **filters;
	int64_t keep_duration_ns, reserved_bytes, max_used_bytes, min_free_bytes;
};
typedef struct worker {
	char *id;
	int root_fd; /* owned: <root>/runc-<snapshotter> */
	char *root_path;
	GHashTable *labels;         /* char * to char * */
	struct platform *platforms; /* default first */
	size_t n_platforms;
	struct gc_rule *gc;
	size_t n_gc;
	cache *cache;
	blob_store *blobs;
	executor *executor;
	registry *registry;
	session_registry *sessions; /* borrowed from the daemon */
	struct source_context source_context;
	const struct image_store *images;   /* borrowed from backing; NULL: none */
	struct containerd_backing *backing; /* owned; NULL: the OCI worker */
	int max_parallelism;
	fingerprint_store *fingerprints; /* NULL: misses are not explained */
	GHashTable *cache_mounts;        /* ops/cache_mount.c: shared writers by key */
	GMutex cache_mounts_mu;
} worker;

struct containerd_options {
	rpc_loop *loop; /* borrowed */
	const char *address, *namespace;
	struct ctd_runtime runtime;
};
struct worker_options {
	int root_fd; /* borrowed: the daemon's root */
	const char *root_path;
	session_registry *sessions; /* borrowed */
	const char *snapshotter;    /* "auto", ... */
	const char *binary;         /* OCI runtime, NULL: found */
	const char *cgroup_parent, *apparmor_profile, *network_mode;
	const char *const *dns_nameservers, *const *dns_options, *const *dns_search;
	const char *const *platforms; /* NULL or empty: detected */
	GHashTable *labels;           /* added over the automatic ones; may be NULL */
	const struct registry_config *registry;
	const struct gc_rule *gc; /* copied; n_gc 0 with gc_enabled: the default policy */
	size_t n_gc;
	bool gc_enabled;
	int64_t reserved_bytes, max_used_bytes, min_free_bytes; /* of the default policy; -1: computed */
	int max_parallelism;
	bool allow_network_host, allow_security_insecure;
	bool selinux;
	bool explain_misses;
	struct containerd_options containerd;
};
/* Opens <root>/runc-<snapshotter>/. Errors name what could not be opened. */
worker *worker_open(const struct worker_options *options, GError **error);
/* Opens <root>/containerd-<snapshotter>/ and what containerd keeps. Errors: UNAVAILABLE, naming the socket. */
worker *worker_open_containerd(const struct worker_options *options, GError **error);
void worker_close(worker *w);

/* Platforms that run here: the native one, then those the kernel has an interpreter for (binfmt_misc). */
struct platform *platforms_detect(size_t *ret_n);
/* The default policy of daemon-and-client.md section 2.7. ret: g_free rows with gc_rules_free. */
struct gc_rule *gc_rules_default(int dir_fd, int64_t reserved, int64_t max_used, int64_t min_free, size_t *ret_n);
void gc_rules_free(struct gc_rule *rules, size_t n);
/* Runs the policy once. */
bool worker_gc(worker *w, cancel *c, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(worker, worker_close)
