/* SPDX-License-Identifier: Apache-2.0 */
/*
 * estargz: compresses a tar stream to gzip whose files can be read individually (eStargz,
 * containerd/stargz-snapshotter).
 *
 *	g_autoptr(estargz_writer) w = estargz_writer_new(-1, sink, data, error);
 *	estargz_writer_write(w, tar, n, error); ... estargz_writer_finish(w, error);
 *	estargz_writer_tail(w)        data after the tar in the decompressed stream
 *
 * The tar is unchanged; contents of files begin a gzip member every ESTARGZ_CHUNK_BYTES. A separate archive with the
 * table of contents follows the first one, and then a footer with its offset. Other readers see ordinary gzip. Needs
 * one pass; memory: the table, which grows with the number of entries, and the pending members. Thread: one at a time.
 */
#pragma once
#include "base/digest.h"
#include "format/compress.h"

#define ESTARGZ_CHUNK_BYTES (1024 * 1024) /* per gzip member, so that members are compressed in parallel */
#define ESTARGZ_FOOTER_BYTES 51
#define ESTARGZ_TABLE_NAME "stargz.index.json"

typedef struct estargz_writer estargz_writer;
estargz_writer *estargz_writer_new(int level, bytes_sink_fn sink, void *data, GError **error);
/* Errors: INVALID_ARGUMENT if the input is not a tar stream, or has entries that the table cannot represent. */
bool estargz_writer_write(estargz_writer *w, const void *bytes, size_t n, GError **error);
bool estargz_writer_finish(estargz_writer *w, GError **error);
/* Call after finish: the archive with the table, and the digest of the table. Borrowed. */
const GString *estargz_writer_tail(const estargz_writer *w);
const struct digest *estargz_writer_table_digest(const estargz_writer *w);
void estargz_writer_free(estargz_writer *w);

/* Finds the table by the last bytes of a blob. False: it has none. */
bool estargz_footer_read(const uint8_t footer[static ESTARGZ_FOOTER_BYTES], int64_t *ret_table_at);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(estargz_writer, estargz_writer_free)
