/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options: the attributes of a solve request for the Dockerfile frontend.
 *
 *	struct options o;
 *	if (!options_read(a, table, platforms, n_platforms, &o, error)) ...
 *
 * Allocated in the arena; the table is borrowed. Errors: INVALID_ARGUMENT with upstream's texts. Thread: any,
 * immutable.
 */
#pragma once
#include "format/platform.h"
#include "base/arena.h"
#include "ops.pb-c.h"
#include "frontend/sbom.h"
#include "remotecache/cache_import.h"

struct options {
	GHashTable *all;          /* borrowed: char * to char * */
	const char *target;       /* "" */
	const char *resolve_mode; /* "default", "pull", "local" */
	struct vec platforms;     /* element type: struct platform *: requested, normalised */
	struct platform build_platform;
	bool multi_platform;
	const char *hostname, *cgroup_parent, *cache_namespace; /* "" */
	struct vec hosts;                                       /* element type: Pb__HostIP * */
	struct vec ulimits;                                     /* element type: Pb__Ulimit * */
	Pb__LinuxResources *resources;                          /* NULL */
	bool labs;                                              /* the labs channel of the language was requested */
	int64_t shm_size;
	Pb__NetMode network;
	bool no_cache; /* applies to all stages */
	struct vec no_cache_stages;
	struct vec labels;        /* element type: struct pair * */
	GArray *cache_imports;    /* element type: struct cache_import; owned */
	const char *check;        /* build-arg:BUILDKIT_DOCKERFILE_CHECK, NULL */
	struct sbom_options sbom; /* .generator NULL: not requested; owned */
};
/* After true and false: options_clear. */
bool options_read(arena *a, GHashTable *table, const struct platform *platforms, size_t n_platforms,
		  struct options *ret, GError **error);
void options_clear(struct options *o);
const char *options_get(const struct options *o, const char *key); /* NULL: not given */
/* Returns the build-arg:NAME options as a new table of borrowed strings. */
GHashTable *options_build_args(const struct options *o);
bool options_no_cache(const struct options *o, const char *stage);
