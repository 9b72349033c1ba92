/* SPDX-License-Identifier: Apache-2.0 */
/*
 * build_options: the flags of buildctl build, read and checked, as solve wants them.
 *
 *	struct build_options o;
 *	if (!build_options_read(&o, f, error)) ...          clear in any case
 *
 * Owned until build_options_clear. Thread: main.
 */
#pragma once
#include "client/services.h"
#include "client/solve.h"
#include "format/flags.h"

/* A directory that type=local caches are written to. */
struct cache_store {
	const char *dir, *tag; /* borrowed from the options */
	bool reset;            /* afterwards only what index.json names stays */
};
struct build_options {
	const char *frontend; /* borrowed from the flags; NULL: definition from stdin */
	GHashTable *attrs;
	Pb__Definition *definition;
	Policy__Policy *source_policy; /* NULL: none */
	services *services;
	GArray *exporters; /* of struct solve_target */
	GArray *cache_exports;
	GArray *cache_imports;
	GArray *cache_stores; /* of struct cache_store */
	GPtrArray *outputs;   /* of struct services_output *, what exporters borrow from */
	GPtrArray *tables;    /* of GHashTable * */
	GPtrArray *texts;     /* of char * */
};
bool build_options_read(struct build_options *o, const flags *f, GError **error);
void build_options_clear(struct build_options *o);

/* ---- build_policy.c: --source-policy-file */
bool build_policy_read(struct build_options *o, const flags *f, GError **error);

/* ---- build_cache.c: --export-cache and --import-cache */
bool build_cache_read(struct build_options *o, const flags *f, GError **error);
/* index.json of the directories that caches and images were written to. */
bool build_cache_finish(const struct build_options *o, GHashTable *response, GError **error);
