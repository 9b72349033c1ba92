/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config: a bundle's config.json (opencontainers/runtime-spec 1.1) as a plan.
 *
 *	struct config c;
 *	config_load(&c, "/path/of/bundle");     ends the command on anything wrong or not supported
 *
 * Nothing is opened yet: config_open does that, in the mount namespace of whoever calls.
 */
#pragma once
#include "json.h"
#include "runner/plan.h"

struct config_source { /* what a descriptor of the plan comes from */
	const char *path;
	bool recursive;    /* a tree: with all below */
	bool is_namespace; /* opened as it is, not cloned */
};
struct config {
	struct plan plan;
	json_t *root;
	const char *bundle;            /* absolute */
	const char *rootfs;            /* absolute */
	const char *cgroups_path;      /* "" : none given */
	struct config_source *sources; /* one a descriptor of the plan */
	uint32_t n_sources, room;
};
void config_load(struct config *c, const char *bundle);
/* The same from what was read already, without a look at the root. json stays the caller's. */
void config_read(struct config *c, const char *bundle, json_t *json);
/* A process description of its own (exec): replaces the plan's. */
void config_process(struct plan *plan, const json_t *process);
/* linux.seccomp as the kernel's program. */
void config_seccomp(struct plan *plan, const json_t *seccomp);
void config_resources(struct plan *plan, const json_t *resources);
/* One descriptor a source, in order. */
int *config_open(struct config *c);
uint32_t config_add_source(struct config *c, const char *path, bool recursive, bool is_namespace);
void config_mounts(struct config *c, const json_t *mounts);
