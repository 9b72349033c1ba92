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

struct build_options {
	const char *frontend;       /* borrowed from the flags; NULL: definition from stdin */
	GHashTable *attrs;
	Pb__Definition *definition;
	services *services;
	GArray *exporters;          /* of struct solve_target */
	GArray *cache_exports;
	GArray *cache_imports;
	GPtrArray *outputs;         /* of struct services_output *, what exporters borrow from */
	GPtrArray *tables;          /* of GHashTable * */
	GPtrArray *texts;           /* of char * */
};
bool build_options_read(struct build_options *o, const flags *f, GError **error);
void build_options_clear(struct build_options *o);
