/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tar_stream: entries of a tree as a tar archive (POSIX.1-1988 ustar, pax records where a value does not fit), written
 * as Go's archive/tar writes them.
 *
 *	struct tar_stream t = {.sink = sink, .data = data};
 *	tar_stream_header(&t, &stat, error); tar_stream_data(&t, fd, stat.size, error); ... tar_stream_end(&t, error);
 *
 * Thread: one at a time.
 */
#pragma once
#include "base/cancel.h"
#include "fssync/fssync.h"

struct tar_stream {
	bool (*sink)(void *data, const void *bytes, size_t n, GError **error);
	void *data;
};
bool tar_stream_header(struct tar_stream *t, const struct fssync_stat *stat, GError **error);
/* Exactly size bytes of fd, padded. */
bool tar_stream_data(struct tar_stream *t, int fd, int64_t size, cancel *c, GError **error);
bool tar_stream_end(struct tar_stream *t, GError **error);
