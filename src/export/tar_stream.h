/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tar_stream: writes the entries of an fssync walk to a tar_writer.
 *
 *	tar_stream_header(w, &stat, error); tar_stream_data(w, fd, stat.size, cancel, error);
 *
 * Thread: the writer's.
 */
#pragma once
#include "base/cancel.h"
#include "format/tar.h"
#include "fssync/fssync.h"

bool tar_stream_header(tar_writer *w, const struct fssync_stat *stat, GError **error);
/* Writes exactly size bytes of fd. Errors: DATA_LOSS if the file has fewer. */
bool tar_stream_data(tar_writer *w, int fd, int64_t size, cancel *c, GError **error);
