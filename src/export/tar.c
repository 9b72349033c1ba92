/* SPDX-License-Identifier: Apache-2.0 */
/* Exporter "tar": writes the trees of a result as one archive, while it is sent to the client. */
#include "base/scope.h"
#include "export/exporter.h"
#include "export/result_tree.h"
#include "export/tar_stream.h"
#include "os/path.h"
#include "progress/progress.h"
#include <fcntl.h>
#include <string.h>

struct tar {
	const struct exporter_context *context; /* borrowed */
	struct tree_options options;
};

struct upload {
	tar_writer *tar; /* borrowed */
	cancel *cancel;
	const struct fssync_root *root; /* tree that is being walked */
};

static bool add_entry(void *data, const struct fssync_stat *stat, int parent_fd, const char *name, GError **error)
{
	struct upload *u = data;
	if (!tar_stream_header(u->tar, stat, error))
		return false;
	if (stat->mode & FSSYNC_MODE_TYPE || *stat->linkname || stat->size == 0)
		return true;
	const struct fssync_extra *extra = parent_fd < 0 ? fssync_root_extra(u->root, name) : NULL;
	scoped_fd fd =
		extra ? fcntl(extra->fd, F_DUPFD_CLOEXEC, 0) : path_open_regular_at(parent_fd, name, O_RDONLY, NULL);
	if (fd < 0 || (extra && lseek(fd, 0, SEEK_SET) < 0))
		return error_set_errno(error, extra ? errno : -fd, "open %s", stat->path);
	return tar_stream_data(u->tar, fd, stat->size, u->cancel, error) || error_prefix(error, "%s: ", stat->path);
}

static bool write_trees(struct upload *u, GPtrArray *trees, bool wrapped, GError **error)
{
	for (guint i = 0; i < trees->len; i++) {
		struct result_tree *tree = trees->pdata[i];
		struct fssync_root root = result_tree_root(tree, wrapped);
		u->root = &root;
		struct fssync_walk_options options = {
			.map = result_tree_map, .map_data = tree, .visit = add_entry, .visit_data = u};
		if (!fssync_walk(&root, 1, NULL, &options, u->cancel, error))
			return false;
	}
	return tar_writer_finish(u->tar, error);
}

/* ---- exporter */

static void *tar_open(const struct exporter_context *context, const char *type, GHashTable *attrs, GError **error)
{
	struct tree_options options;
	if (!tree_options_load(&options, attrs, error))
		return NULL;
	struct tar *t = g_new0(struct tar, 1);
	t->context = context;
	t->options = options;
	return t;
}

static bool send_archive(session *s, const struct export_input *input, GPtrArray *trees, struct work *work,
			 GError **error)
{
	g_autoptr(rpc_metadata) md = rpc_metadata_new();
	g_autoptr(rpc_call) call = session_send_open(s, input->index, md, work->cancel, error);
	if (!call)
		return false;
	g_autoptr(tar_writer) tar = tar_writer_new(session_send_bytes, call);
	struct upload u = {.tar = tar, .cancel = work->cancel};
	GError *failure = NULL;
	if (write_trees(&u, trees, input->is_map, &failure))
		return rpc_call_close_send(call, error) && rpc_call_finish(call, error);
	rpc_call_abort(call);
	return error_propagate(error, failure);
}

static bool tar_export(void *self, const struct export_input *input, struct work *work, GHashTable *response,
		       bool *ret_has_finish, GError **error)
{
	struct tar *t = self;
	int64_t started_ns;
	g_autoptr(GPtrArray) trees = result_trees_open(&t->options, t->context, input, work, error);
	if (!trees || !result_trees_attest(&t->options, t->context, input, trees, input->is_map, work, error))
		return false;
	g_autoptr(session) s = export_session(t->context, work, error);
	if (!s)
		return false;
	progress_status_start(work->progress, "sending tarball", NULL, &started_ns);
	if (!send_archive(s, input, trees, work, error))
		return false;
	progress_status_end(work->progress, "sending tarball", NULL, started_ns);
	return true;
}

static void tar_free(void *self)
{
	tree_options_clear(&((struct tar *)self)->options);
	g_free(self);
}

const struct exporter_class exporter_tar_class = {
	.type = "tar",
	.keeps_codes = true,
	.vertex_name = "exporting to client tarball",
	.open = tar_open,
	.export = tar_export,
	.free = tar_free,
};
