/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layer_writer: compresses a tar stream to a layer blob with its descriptor, in any compression.
 *
 *	g_autoptr(layer_writer) w = layer_writer_new(blobs, COMPRESSION_ZSTD, -1, error);
 *	layer_writer_write(w, tar, n, error); ... layer_writer_finish(w, &tar_digest, error);
 *	oci_descriptor *d = layer_writer_commit(w, &diff_id, error);
 *
 * estargz appends a table of contents to the tar, so that its diff id is not the digest of the tar; its descriptor has
 * the annotations for lazy readers. Thread: one at a time.
 */
#pragma once
#include "content/blob_store.h"
#include "format/compress.h"
#include "oci/oci.h"

typedef struct layer_writer layer_writer;
layer_writer *layer_writer_new(blob_store *blobs, enum compression compression, int level, GError **error);
bool layer_writer_write(void *writer, const void *bytes, size_t n, GError **error); /* a bytes_sink_fn */
/* Ends the tar. ret_tar: its digest, may be NULL. */
bool layer_writer_finish(layer_writer *w, struct digest *ret_tar, GError **error);
/* Call after finish: commits the blob to the store. ret_diff_id: digest of the uncompressed blob. */
oci_descriptor *layer_writer_commit(layer_writer *w, struct digest *ret_diff_id, GError **error);
void layer_writer_free(layer_writer *w);

/* estargz is gzip with a table of contents. */
enum compression layer_compression(const oci_descriptor *d);
/* Returns the end of the layer's tar in its blob: before the table of contents of estargz. -1: error. */
int64_t layer_tar_bytes(const oci_descriptor *d, int fd, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(layer_writer, layer_writer_free)
