/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blob: a record's layer as a compressed tar in the blob store.
 *
 *	blob_make(r, COMPRESSION_GZIP, -1, work, error)         r->blob and r->diff_id are set once and for all
 *	blob_convert(r, COMPRESSION_ZSTD, -1, work, error)      another compression of the same layer, kept as a variant
 *
 * One pass: tree difference, hash of the tar, compressor, hash of the blob, store. Thread: any; one at a time a record.
 */
#pragma once
#include "cache/record.h"

bool blob_make(cache_ref *r, enum compression compression, int level, struct work *work, GError **error);
/* The layer in that compression, made if need be: the record's own blob or a variant. Borrowed from the record. */
const oci_descriptor *blob_convert(cache_ref *r, enum compression compression, int level, struct work *work,
				   GError **error);
/* What the record adds to the tree below it, as a tar; its trees are here. */
bool blob_stream(cache_ref *r, cancel *stop, bytes_sink_fn sink, void *data, GError **error);
