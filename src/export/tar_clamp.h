/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tar_clamp: lowers all times of a tar stream to an epoch. For equality with upstream's layers, it also ends the stream
 * with two zero blocks and writes empty device numbers as 0; it changes nothing else.
 *
 *	g_autoptr(tar_clamp) t = tar_clamp_new(epoch_s, sink, data);
 *	tar_clamp_write(t, bytes, n, error); ... tar_clamp_finish(t, error);
 *
 * A filter based on the scanner of format/tar. Memory: one extended header. Thread: one at a time.
 */
#pragma once
#include "format/compress.h"

typedef struct tar_clamp tar_clamp;
tar_clamp *tar_clamp_new(int64_t epoch_s, bytes_sink_fn sink, void *data);
/* Errors: INVALID_ARGUMENT if the bytes are not a tar stream. */
bool tar_clamp_write(tar_clamp *t, const void *bytes, size_t n, GError **error);
bool tar_clamp_finish(tar_clamp *t, GError **error);
void tar_clamp_free(tar_clamp *t);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(tar_clamp, tar_clamp_free)
