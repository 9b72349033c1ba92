/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config: reads a bundle's config.json (opencontainers/runtime-spec 1.1) into a plan.
 *
 *	struct config c;
 *	config_load(&c, "/path/of/bundle");     exits if config.json is invalid or not supported
 *
 * No file of the bundle is opened yet: config_open does that, in the mount namespace of its caller.
 */
#pragma once
#include "json.h"
#include "runner/plan.h"

struct config_source { /* source of a descriptor of the plan */
	const char *path;
	bool recursive;    /* a tree, recursively */
	bool is_namespace; /* opened, not cloned */
};
struct config {
	struct plan plan;
	json_t *root;
	const char *bundle;            /* absolute */
	const char *rootfs;            /* absolute */
	const char *cgroups_path;      /* "": not given */
	struct config_source *sources; /* one per descriptor of the plan */
	uint32_t n_sources, room;
};
void config_load(struct config *c, const char *bundle);
/* Same as config_load for JSON that was read already; does not check the root. json remains owned by the caller. */
void config_read(struct config *c, const char *bundle, json_t *json);
/* Reads a process description (exec) and replaces the plan's. */
void config_process(struct plan *plan, const json_t *process);
/* Compiles linux.seccomp to a BPF program. */
void config_seccomp(struct plan *plan, const json_t *seccomp);
void config_resources(struct plan *plan, const json_t *resources);
/* Opens one descriptor per source, in order. On old kernels, a tree is only opened here: see config_clone. */
int *config_open(struct config *c);
/*
 * On old kernels: replaces the descriptors of trees by copies of their mounts in the mount namespace of the caller, which is
 * a new one, and where a path must still lead to the same object.
 */
void config_clone(const struct config *c, int *fds);
