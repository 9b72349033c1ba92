/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blob: a record's layer as a compressed tar in the blob store.
 *
 *	blob_make(r, COMPRESSION_GZIP, -1, work, error)         sets r->blob and r->diff_id once
 *	blob_convert(r, COMPRESSION_ZSTD, -1, work, error)      another compression of the same layer, kept as a variant
 *
 * One pass: tree difference, hash of the tar, compressor, hash of the blob, store. Thread: any; one at a time per
 * record.
 */
#pragma once
#include "cache/record.h"

bool blob_make(cache_ref *r, enum compression compression, int level, struct work *work, GError **error);
/*
 * Returns the layer in that compression, converting it if necessary: the record's own blob or a variant. Borrowed from
 * the record.
 */
const oci_descriptor *blob_convert(cache_ref *r, enum compression compression, int level, struct work *work,
				   GError **error);
/* Writes what the record adds to its parent's tree, as a tar for another tree. Both trees must be unpacked. */
bool blob_stream(cache_ref *r, cancel *stop, bytes_sink_fn sink, void *data, GError **error);
