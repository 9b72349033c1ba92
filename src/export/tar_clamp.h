/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tar_clamp: a tar stream with every time after an epoch lowered to it. Of the rest only this changes, so that layers
 * agree with upstream's: the end is two zero blocks whatever follows the last entry, and empty device numbers are 0.
 *
 *	g_autoptr(tar_clamp) t = tar_clamp_new(epoch_s, sink, data);
 *	tar_clamp_write(t, bytes, n, error); ... tar_clamp_finish(t, error);
 *
 * A filter over format/tar's scanner. Memory: one extended header. Thread: one at a time.
 */
#pragma once
#include "format/compress.h"

typedef struct tar_clamp tar_clamp;
tar_clamp *tar_clamp_new(int64_t epoch_s, bytes_sink_fn sink, void *data);
/* Errors: INVALID_ARGUMENT when it is no tar stream. */
bool tar_clamp_write(tar_clamp *t, const void *bytes, size_t n, GError **error);
bool tar_clamp_finish(tar_clamp *t, GError **error);
void tar_clamp_free(tar_clamp *t);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(tar_clamp, tar_clamp_free)
