/* SPDX-License-Identifier: Apache-2.0 */
/*
 * imports: the caches of others that a build looks into, each read once, in the background.
 *
 *	imports *i = imports_new(build);
 *	GPtrArray *wanted = imports_start(i, entries, n);       of struct import *, borrowed
 *	imports_wait(wanted, cancel, error);                   before anything that may use them is built
 *	imports_free(i);                                       waits for those under way
 *
 * One that cannot be read says so in its vertex, "importing cache manifest from X", and the build goes on without it.
 * Thread: any.
 */
#pragma once
#include "builder/build_internal.h"

typedef struct imports imports;

imports *imports_new(struct build *b);
void imports_free(imports *i);
GPtrArray *imports_start(imports *i, Gateway__CacheOptionsEntry *const *entries, size_t n);
bool imports_wait(const GPtrArray *wanted, cancel *c, GError **error);
/* How many layers of them turned out to be missing or damaged so far; new ones are told in a vertex. */
unsigned imports_losses(imports *i);
