/* SPDX-License-Identifier: Apache-2.0 */
/*
 * walk_filter: selects the entries of a walk (include, exclude and follow patterns), one name at a time.
 *
 *	walk_filter *f = walk_filter_new(root_fd, &request, error);     NULL without an error: everything is selected
 *	struct walk_filter_verdict v = walk_filter_check(f, path, is_dir, parent_bits, bits);
 *
 * bits contain the matching state of a directory: walk_filter_bits(f) bytes each. Thread: any, immutable after new.
 */
#pragma once
#include "fssync/fssync.h"

typedef struct walk_filter walk_filter;

struct walk_filter_verdict {
	bool wanted;  /* is selected itself */
	bool descend; /* entries below may be selected (directories) */
};

walk_filter *walk_filter_new(int root_fd, const struct fssync_filter *request, GError **error);
void walk_filter_free(walk_filter *f);
size_t walk_filter_bits(const walk_filter *f);
/* parent_bits is NULL at the top. */
struct walk_filter_verdict walk_filter_check(const walk_filter *f, const char *path, bool is_dir,
					     const uint8_t *parent_bits, uint8_t *ret_bits);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(walk_filter, walk_filter_free)
