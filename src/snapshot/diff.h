/* SPDX-License-Identifier: Apache-2.0 */
/*
 * diff: what changed between two trees, as the tar stream of a layer.
 *
 *	struct diff_options options = {.cancel = work->cancel};
 *	diff_overlay(lower_fd, upper_fd, &options, sink, data, error);      caller stacks hash and compressor on sink
 *
 * Entries in walk order by name, deletions as .wh.<name>; PAX headers, no user names, no atime and ctime; equal trees
 * give equal bytes. Rules: llb-and-solver.md section 19. lower_fd -1 is the empty tree. fds are borrowed. Thread: any.
 */
#pragma once
#include "base/cancel.h"
#include "format/compress.h"

struct diff_options {
	bool clamp_times; /* times later than max_time_s become max_time_s (rewrite-timestamp) */
	int64_t max_time_s;
	cancel *cancel; /* may be NULL */
};

/* An overlay's upper directory against the merged view of everything below it. Redirects: UNIMPLEMENTED. */
bool diff_overlay(int lower_fd, int upper_fd, const struct diff_options *options, bytes_sink_fn sink, void *data,
		  GError **error);
/* Two whole trees (native snapshots, or overlays seen through their mounts). */
bool diff_trees(int lower_fd, int upper_fd, const struct diff_options *options, bytes_sink_fn sink, void *data,
		GError **error);
