/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exporter "local": writes the trees of a result into a directory of the client. Each platform is a separate transfer,
 * merged into the existing directory. With mode=delete, one transfer has all platforms, and the client deletes all
 * other files.
 */
#include "base/scope.h"
#include "export/exporter.h"
#include "export/result_tree.h"
#include "fssync/call.h"
#include "progress/progress.h"
#include <string.h>

struct local {
	const struct exporter_context *context; /* borrowed */
	struct tree_options options;
};

/* ---- transfers */

/* The first component of a path determines the tree of an entry. */
static bool map_entry(void *data, struct fssync_stat *stat)
{
	const GPtrArray *trees = data; /* of struct result_tree * */
	for (guint i = 0; i < trees->len && trees->len > 1; i++) {
		struct result_tree *tree = trees->pdata[i];
		size_t n = strlen(tree->dir_name);
		if (strncmp(stat->path, tree->dir_name, n) == 0 && (stat->path[n] == '/' || !stat->path[n]))
			return result_tree_map(tree, stat);
	}
	return result_tree_map(trees->pdata[0], stat);
}

static bool send_roots(struct local *l, const struct export_input *input, session *s, GPtrArray *trees,
		       const struct fssync_root *roots, size_t n, const char *status_id, struct work *work,
		       GError **error)
{
	g_autoptr(rpc_metadata) md = rpc_metadata_new();
	if (l->options.delete_rest)
		rpc_metadata_add(md, "buildkit-exporter-multi-platform", "1");
	struct progress_transfer progress = {.sink = work->progress, .id = status_id, .name = "transferring"};
	struct fssync_send_options options = {
		.map = map_entry, .map_data = trees, .progress = progress_transfer_report, .progress_data = &progress};
	g_autoptr(rpc_call) call = session_send_open(s, input->index, md, work->cancel, error);
	if (!call)
		return false;
	struct fssync_channel channel = fssync_channel_of_client(call);
	progress_transfer_report(&progress, 0, false);
	return fssync_send(&channel, roots, n, NULL, &options, work->cancel, error) && rpc_call_finish(call, error);
}

/* ---- several platforms in one directory */

struct overlap {
	GHashTable *seen; /* path to the id of the platform that has it */
	const char *id;
};

static bool check_overlap(void *data, const struct fssync_stat *stat, int parent_fd, const char *name, GError **error)
{
	struct overlap *o = data;
	if (stat->mode & FSSYNC_MODE_DIR)
		return true;
	const char *other = g_hash_table_lookup(o->seen, stat->path);
	if (other)
		return error_set(error, ERROR_INVALID_ARGUMENT,
				 "cannot overwrite %s from %s with %s when split option is disabled", stat->path, other,
				 o->id);
	g_hash_table_insert(o->seen, g_strdup(stat->path), (void *)o->id);
	return true;
}

static bool check_overlaps(GPtrArray *trees, cancel *c, GError **error)
{
	if (trees->len < 2)
		return true;
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	for (guint i = 0; i < trees->len; i++) {
		const struct result_tree *tree = trees->pdata[i];
		struct overlap overlap = {.seen = seen, .id = tree->id};
		struct fssync_walk_options options = {.visit = check_overlap, .visit_data = &overlap};
		struct fssync_root root = result_tree_root(tree, false);
		if (!fssync_walk(&root, 1, NULL, &options, c, error))
			return false;
	}
	return true;
}

/* ---- exporter */

static void *local_open(const struct exporter_context *context, const char *type, GHashTable *attrs, GError **error)
{
	struct tree_options options;
	if (!tree_options_load(&options, attrs, error))
		return NULL;
	struct local *l = g_new0(struct local, 1);
	l->context = context;
	l->options = options;
	return l;
}

/* One transfer per platform. */
static bool export_merging(struct local *l, const struct export_input *input, session *s, GPtrArray *trees, bool split,
			   struct work *work, GError **error)
{
	for (guint i = 0; i < trees->len; i++) {
		struct result_tree *tree = trees->pdata[i];
		g_autofree char *status =
			split ? g_strconcat("copying files ", tree->id, NULL) : g_strdup("copying files");
		g_autoptr(GPtrArray) one = g_ptr_array_new();
		g_ptr_array_add(one, tree);
		struct fssync_root root = result_tree_root(tree, split);
		if (!send_roots(l, input, s, one, &root, 1, status, work, error))
			return false;
	}
	return true;
}

/* One transfer with all platforms: the client deletes files that are not in it. */
static bool export_deleting(struct local *l, const struct export_input *input, session *s, GPtrArray *trees, bool split,
			    struct work *work, GError **error)
{
	if (!split && trees->len > 1)
		return error_set(error, ERROR_UNIMPLEMENTED,
				 "mode=delete with several platforms and platform-split=false is not supported yet");
	g_autofree struct fssync_root *roots = g_new0(struct fssync_root, trees->len);
	for (guint i = 0; i < trees->len; i++)
		roots[i] = result_tree_root(trees->pdata[i], split);
	return send_roots(l, input, s, trees, roots, trees->len, "copying files", work, error);
}

static bool local_export(void *self, const struct export_input *input, struct work *work, GHashTable *response,
			 bool *ret_has_finish, GError **error)
{
	struct local *l = self;
	g_autoptr(session) s = export_session(l->context, work, error);
	if (!s)
		return false;
	g_autoptr(GPtrArray) trees = result_trees_open(&l->options, l->context, input, work, error);
	bool split = l->options.split < 0 ? input->is_map : l->options.split;
	if (!trees || !result_trees_attest(&l->options, l->context, input, trees, split, work, error) ||
	    (!split && !check_overlaps(trees, work->cancel, error)))
		return false;
	return l->options.delete_rest ? export_deleting(l, input, s, trees, split, work, error)
				      : export_merging(l, input, s, trees, split, work, error);
}

static void local_free(void *self)
{
	tree_options_clear(&((struct local *)self)->options);
	g_free(self);
}

const struct exporter_class exporter_local_class = {
	.type = "local",
	.keeps_codes = true,
	.vertex_name = "exporting to client directory",
	.open = local_open,
	.export = local_export,
	.free = local_free,
};
