/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compress: compresses and decompresses gzip, zstd and plain streams, in process.
 *
 *	g_autoptr(compressor) c = compressor_new(COMPRESSION_GZIP, -1, sink, data, error);
 *	compressor_write(c, bytes, n, error); ... compressor_finish(c, error);
 *
 *	g_autoptr(decompressor) d = decompressor_new(false, max_bytes, sink, data);   detects the format by its first bytes
 *	decompressor_write(d, bytes, n, error); ... decompressor_finish(d, error);
 *
 * gzip output depends only on the input (members of 1 MiB compressed in parallel by libdeflate), so equal layers have
 * equal digests on every machine and core count. The output of a decompressor is limited to max_bytes. Thread: one at a
 * time.
 */
#pragma once
#include "base/error.h"

enum compression { COMPRESSION_NONE, COMPRESSION_GZIP, COMPRESSION_ZSTD, COMPRESSION_ESTARGZ };
typedef bool (*bytes_sink_fn)(void *data, const void *bytes, size_t n, GError **error);
typedef struct compressor compressor;
typedef struct decompressor decompressor;

/*
 * Parses names as in attributes: "uncompressed", "gzip", "estargz", "zstd". Errors: "unsupported compression type T".
 */
bool compression_parse(const char *text, enum compression *ret, GError **error);
const char *compression_name(enum compression type);

/* level: -1 default; gzip 0-9, zstd 0-22. estargz needs a tar stream: use format/estargz.h. */
compressor *compressor_new(enum compression type, int level, bytes_sink_fn sink, void *data, GError **error);
bool compressor_write(compressor *c, const void *bytes, size_t n, GError **error);
bool compressor_finish(compressor *c, GError **error);
/* gzip: starts a new member with the next byte. */
bool compressor_cut(compressor *c, GError **error);
/* Offsets of these members in the output (of uint64_t), one per cut with data after it; complete after finish. */
const GArray *compressor_cuts(const compressor *c);
void compressor_free(compressor *c);
/* Compresses all bytes to one gzip member. */
bool gzip_member(int level, const void *bytes, size_t n, bytes_sink_fn sink, void *data, GError **error);

/* Detects gzip (several members), zstd or plain; also bzip2 and xz if any is true (ADD of archives). */
decompressor *decompressor_new(bool any, uint64_t max_bytes, bytes_sink_fn sink, void *data);
/* Always decompresses gzip: other formats are an error. Empty input gives empty output. */
decompressor *decompressor_new_gzip(uint64_t max_bytes, bytes_sink_fn sink, void *data);
bool decompressor_write(decompressor *d, const void *bytes, size_t n, GError **error);
bool decompressor_finish(decompressor *d, GError **error);
void decompressor_free(decompressor *d);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(compressor, compressor_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(decompressor, decompressor_free)
