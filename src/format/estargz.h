/* SPDX-License-Identifier: Apache-2.0 */
/*
 * estargz: a tar stream as gzip whose files can be read one by one (eStargz, containerd/stargz-snapshotter).
 *
 *	g_autoptr(estargz_writer) w = estargz_writer_new(-1, sink, data, error);
 *	estargz_writer_write(w, tar, n, error); ... estargz_writer_finish(w, error);
 *	estargz_writer_tail(w)        what readers of the whole stream get after the tar
 *
 * The tar passes unchanged; contents of files begin a gzip member every ESTARGZ_CHUNK_BYTES. A table of contents
 * follows as an archive of its own, behind the end of the first one, and a footer that tells where. Readers that know
 * nothing of it see gzip. One pass; memory: the table, which grows with the number of entries, and the members on
 * their way. Thread: one at a time.
 */
#pragma once
#include "base/digest.h"
#include "format/compress.h"

#define ESTARGZ_CHUNK_BYTES (1024 * 1024) /* of one gzip member, so that members are made side by side */
#define ESTARGZ_FOOTER_BYTES 51
#define ESTARGZ_TABLE_NAME "stargz.index.json"

typedef struct estargz_writer estargz_writer;
estargz_writer *estargz_writer_new(int level, bytes_sink_fn sink, void *data, GError **error);
/* Errors: INVALID_ARGUMENT when it is no tar stream, or has entries that no table can name. */
bool estargz_writer_write(estargz_writer *w, const void *bytes, size_t n, GError **error);
bool estargz_writer_finish(estargz_writer *w, GError **error);
/* After finish: the archive with the table, and the digest of the table. Borrowed. */
const GString *estargz_writer_tail(const estargz_writer *w);
const struct digest *estargz_writer_table_digest(const estargz_writer *w);
void estargz_writer_free(estargz_writer *w);

/* The last bytes of a blob: where its table is. False: it has none. */
bool estargz_footer_read(const uint8_t footer[static ESTARGZ_FOOTER_BYTES], int64_t *ret_table_at);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(estargz_writer, estargz_writer_free)
