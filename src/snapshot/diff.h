/* SPDX-License-Identifier: Apache-2.0 */
/*
 * diff: writes the changes between two trees as the tar stream of a layer.
 *
 *	struct diff_options options = {.cancel = work->cancel};
 *	diff_overlay(lower_fd, upper_fd, &options, sink, data, error);      sink hashes and compresses
 *
 * Entries are in walk order by name, deletions are .wh.<name>; PAX headers, no user names, no atime and ctime; equal
 * trees give equal bytes. lower_fd -1 is the empty tree. fds are borrowed. Thread: any.
 */
#pragma once
#include "base/cancel.h"
#include "format/compress.h"

struct diff_options {
	bool clamp_times; /* times later than max_time_s become max_time_s (rewrite-timestamp) */
	int64_t max_time_s;
	/*
	 * For another tree instead of a layer: user attributes, access control lists and nanoseconds are written, and
	 * unchanged names of changed inodes are not.
	 */
	bool exact;
	bool windows;   /* a layer of a Windows image: see windows_layer.h */
	cancel *cancel; /* may be NULL */
};

/* Compares an overlay's upper directory with the merged view of everything below it. Redirects: UNIMPLEMENTED. */
bool diff_overlay(int lower_fd, int upper_fd, const struct diff_options *options, bytes_sink_fn sink, void *data,
		  GError **error);
/* Compares two complete trees (native snapshots, or mounted overlays). */
bool diff_trees(int lower_fd, int upper_fd, const struct diff_options *options, bytes_sink_fn sink, void *data,
		GError **error);
