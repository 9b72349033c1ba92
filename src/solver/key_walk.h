/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key_walk: collects everything that leads to given keys into a key_graph.
 *
 *	key_walk *w = key_walk_new();
 *	key_walk_from(w, key);                           a requested result
 *	while (key_walk_step(w, store, 256)) ...         in small batches, so that other work is not blocked
 *	key_graph *g = key_walk_graph(w);
 *
 * Keys of sessions, links that close a cycle, and steps that lack an input are left out. Beyond LIMIT_CACHE_RECORDS the
 * most distant records are left out. Thread: key_walk_step as key_store; otherwise one at a time.
 */
#pragma once
#include "solver/key_graph.h"

typedef struct key_walk key_walk;

key_walk *key_walk_new(void);
void key_walk_free(key_walk *w);
void key_walk_from(key_walk *w, const char *key);
/* Sets the definition's export option for the results of a key. */
void key_walk_override(key_walk *w, const char *key, int export_cache);
/* Adds a result that the key store does not contain. */
void key_walk_add_result(key_walk *w, const char *key, const char *id, int64_t created_ns);
/* Visits at most that many keys; false when all are visited. */
bool key_walk_step(key_walk *w, key_store *k, unsigned n_keys);
key_graph *key_walk_graph(key_walk *w);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(key_walk, key_walk_free)
