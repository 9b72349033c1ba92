/* SPDX-License-Identifier: Apache-2.0 */
/*
 * imports: the cache imports of a build, each read once in the background.
 *
 *	imports *i = imports_new(build);
 *	imports_start(i, entries, n);
 *	imports_wait(i, cancel, error);                        call before each build of a result
 *	imports_free(i);                                       waits for running ones
 *
 * If an import fails, its vertex "importing cache manifest from X" shows the error, and the build continues without it.
 * Thread: any.
 */
#pragma once
#include "builder/build_internal.h"

typedef struct imports imports;

imports *imports_new(struct build *b);
void imports_free(imports *i);
void imports_start(imports *i, const struct cache_import *requested, size_t n);
/* Waits for all that were started: requests without imports have steps in common with those that have some. */
bool imports_wait(imports *i, cancel *c, GError **error);
/* Returns the number of layers found missing or damaged so far; each new one is reported in a vertex. */
unsigned imports_losses(imports *i);
