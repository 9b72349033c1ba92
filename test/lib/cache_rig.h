/* SPDX-License-Identifier: Apache-2.0 */
/* cache_rig: a cache in a temporary directory, with short helpers that make records. */
#pragma once
#include "cache/record.h"
#include "lib/tree_dir.h"

struct rig {
	char *path;
	int root;
	blob_store *blobs;
	cache *c;
	const char *snapshotter;
};

void rig_open(struct rig *g);
void rig_close(struct rig *g);
void rig_reopen(struct rig *g);
void rig_set_up(struct rig *g, gconstpointer name);
void rig_tear_down(struct rig *g, gconstpointer unused);
cache_ref *rig_mutable(struct rig *g, cache_ref *parent, enum cache_policy policy, const char *type);
int rig_tree(struct rig *g, cache_ref *r, unsigned flags);
void rig_write(struct rig *g, cache_ref *m, const char *name, const char *text);
void rig_expect(struct rig *g, cache_ref *r, const char *name, const char *text);
cache_ref *rig_commit(cache_ref *m);
/* A committed record with one file. */
cache_ref *rig_record(struct rig *g, cache_ref *parent, const char *name, const char *text);
guint rig_count(struct rig *g, const char *dir);
/* ret_ids (of char *, owned) may be NULL. */
void rig_prune(struct rig *g, const struct cache_prune_options *options, GPtrArray *ret_ids);
guint rig_usage(struct rig *g);
