/* SPDX-License-Identifier: Apache-2.0 */
/*
 * result_tree: the trees of a result for the exporters local and tar: one root per platform, times set by the epoch.
 *
 *	struct tree_options o;
 *	if (!tree_options_load(&o, attrs, error)) ...
 *	GPtrArray *trees = result_trees_open(&o, context, input, work, error);     element type struct result_tree *
 *
 * Thread: one at a time.
 */
#pragma once
#include "export/exporter.h"
#include "fssync/fssync.h"

struct tree_options {
	bool has_epoch; /* the attribute is given (maybe empty): the frontend's value is ignored */
	bool epoch_set;
	int64_t epoch_s;
	int split; /* platform-split; -1: not given */
	bool delete_rest;
	char *attestation_prefix; /* owned; "" if none */
};
/* Errors: "non-bool value for platform-split: X: ...", "invalid local exporter mode "X"". */
bool tree_options_load(struct tree_options *ret, GHashTable *attrs, GError **error);
void tree_options_clear(struct tree_options *o);

struct result_tree {
	char *id;       /* "linux/amd64" */
	char *dir_name; /* "linux_amd64" */
	int fd;         /* owned */
	bool epoch_set;
	int64_t epoch_s;
	GArray *extras; /* owned; element type struct fssync_extra: attestations; NULL: not made */
};
GPtrArray *result_trees_open(const struct tree_options *o, const struct exporter_context *context,
			     const struct export_input *input, struct work *work, GError **error);
/* Adds the attestations of each tree as files. split: each tree is in its own directory. */
bool result_trees_attest(const struct tree_options *o, const struct exporter_context *context,
			 const struct export_input *input, GPtrArray *trees, bool split, struct work *work,
			 GError **error);
/* Map function for fssync; data is a struct result_tree. */
bool result_tree_map(void *tree, struct fssync_stat *stat);
/* Returns the tree as a root, below its directory if it is wrapped. Borrows from t. */
struct fssync_root result_tree_root(const struct result_tree *t, bool wrapped);

/* Returns the session of the client that receives the result. */
session *export_session(const struct exporter_context *context, struct work *work, GError **error);
