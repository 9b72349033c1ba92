/* SPDX-License-Identifier: Apache-2.0 */
/*
 * build_options: parses and checks the flags of buildctl build for client/solve.
 *
 *	struct build_options o;
 *	if (!build_options_read(&o, f, error)) ...          clear also after an error
 *
 * Owned until build_options_clear. Thread: main.
 */
#pragma once
#include "client/services.h"
#include "client/solve.h"
#include "format/flags.h"

/* directory of a type=local cache exporter */
struct cache_store {
	const char *dir, *tag; /* borrowed from the options */
	bool reset;            /* after the build only the entry in index.json is needed */
};
struct build_options {
	const char *frontend; /* borrowed from the flags; NULL: read the definition from stdin */
	GHashTable *attrs;
	Pb__Definition *definition;
	Policy__Policy *source_policy; /* NULL: none */
	bool proxy_network;
	services *services;
	GArray *exporters; /* element type: struct solve_target */
	GArray *cache_exports;
	GArray *cache_imports;
	GArray *cache_stores; /* element type: struct cache_store */
	GPtrArray *outputs;   /* element type: struct services_output *; exporters borrow from them */
	GPtrArray *tables;    /* element type: GHashTable * */
	GPtrArray *texts;     /* element type: char * */
};
bool build_options_read(struct build_options *o, const flags *f, GError **error);
void build_options_clear(struct build_options *o);

/* ---- build_policy.c: --source-policy-file */
bool build_policy_read(struct build_options *o, const flags *f, GError **error);

/* ---- build_cache.c: --export-cache and --import-cache */
bool build_cache_read(struct build_options *o, const flags *f, GError **error);
/* Updates index.json of the directories that cache and image exporters wrote to. */
bool build_cache_finish(const struct build_options *o, GHashTable *response, GError **error);
