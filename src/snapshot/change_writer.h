/* SPDX-License-Identifier: Apache-2.0 */
/*
 * change_writer: writes the changes of a tree, in walk order, as entries of a layer: parents first, whiteouts, hard
 * links.
 *
 *	change_writer_put(w, &change, error); ... change_writer_finish(w, error);
 *
 * Private to snapshot. Thread: one at a time.
 */
#pragma once
#include "snapshot/diff.h"
#include <sys/stat.h>

enum change_kind { CHANGE_PUT, CHANGE_DELETE, CHANGE_NONE /* unchanged, reported because of its hard links */ };
struct change {
	enum change_kind kind;
	const char *path;      /* relative to the root, without a leading slash */
	int dir_fd;            /* borrowed: the entry's directory in the new tree; unused for DELETE */
	const char *name;      /* in dir_fd */
	const struct stat *st; /* of the new tree; unused for DELETE */
};
typedef struct change_writer change_writer;

change_writer *change_writer_new(int root_fd /* of the new tree, borrowed */, const struct diff_options *options,
				 bytes_sink_fn sink, void *data);
void change_writer_free(change_writer *w);
bool change_writer_put(change_writer *w, const struct change *c, GError **error);
bool change_writer_finish(change_writer *w, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(change_writer, change_writer_free)
