/* SPDX-License-Identifier: Apache-2.0 */
/*
 * imports: the cache imports of a build, each read once in the background.
 *
 *	imports *i = imports_new(build);
 *	GPtrArray *wanted = imports_start(i, entries, n);       of struct import *, borrowed
 *	imports_wait(wanted, cancel, error);                   call before building with them
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
GPtrArray *imports_start(imports *i, const struct cache_import *requested, size_t n);
bool imports_wait(const GPtrArray *wanted, cancel *c, GError **error);
/* Returns the number of layers found missing or damaged so far; each new one is reported in a vertex. */
unsigned imports_losses(imports *i);
