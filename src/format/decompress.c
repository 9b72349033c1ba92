/* SPDX-License-Identifier: Apache-2.0 */
#include "format/compress.h"
#include "format/inflate.h"
#include <errno.h>
#include <string.h>
#include <bzlib.h>
#include <lzma.h>
#include <zstd.h>

enum { OUT_BYTES = 256 * 1024, MAGIC_BYTES = 6, ZSTD_WINDOW_LOG_MAX = 27 };
static const uint64_t XZ_MEMORY_MAX = 256 * 1024 * 1024;

/* One row per format. feed consumes all of its input; finish reports whether the stream was complete. */
struct format {
	const char *name;
	uint8_t magic[MAGIC_BYTES];
	size_t n_magic;
	bool only_any; /* only for archives, not for layers */
	bool (*open)(decompressor *d, GError **error);
	bool (*feed)(decompressor *d, const uint8_t *bytes, size_t n, GError **error);
	bool (*finish)(decompressor *d, GError **error);
	void (*close)(decompressor *d);
};

struct decompressor {
	bool any;
	bool gzip_only; /* regardless of the first bytes */
	uint64_t max_bytes, n_out;
	bytes_sink_fn sink;
	void *sink_data;
	uint8_t head[MAGIC_BYTES]; /* input until the format is known */
	size_t n_head;
	const struct format *format; /* NULL until then */
	bool at_boundary;            /* between two members: the stream may end here */
	uint8_t *out;                /* owned */
	union {
		inflater *gzip;  /* owned */
		ZSTD_DCtx *zstd; /* owned */
		bz_stream bzip2;
		lzma_stream xz;
	} u;
};

static bool broken(const decompressor *d, const char *why, GError **error)
{
	return error_set(error, ERROR_DATA_LOSS, "%s: %s", d->format->name, why);
}

static bool emit(decompressor *d, const void *bytes, size_t n, GError **error)
{
	if (n == 0)
		return true;
	if (n > d->max_bytes - d->n_out)
		return error_set(error, ERROR_RESOURCE_EXHAUSTED,
				 "decompressed data is larger than %" G_GUINT64_FORMAT " bytes", d->max_bytes);
	d->n_out += n;
	return d->sink(d->sink_data, bytes, n, error);
}

static bool finish_at_boundary(decompressor *d, GError **error)
{
	return d->at_boundary || broken(d, "unexpected EOF", error);
}

/* ---- plain */

static bool plain_open(decompressor *d, GError **error)
{
	return true;
}

static bool plain_finish(decompressor *d, GError **error)
{
	return true;
}

static bool plain_feed(decompressor *d, const uint8_t *bytes, size_t n, GError **error)
{
	return emit(d, bytes, n, error);
}

static void plain_close(decompressor *d)
{
}

/* ---- gzip */

static bool gzip_open(decompressor *d, GError **error)
{
	d->u.gzip = inflater_new();
	return true;
}

static void gzip_close(decompressor *d)
{
	inflater_free(d->u.gzip);
}

static bool gzip_check(decompressor *d, enum inflate_result result, GError **error)
{
	switch (result) {
	case INFLATE_BAD_CHECKSUM:
		return broken(d, "invalid checksum", error);
	case INFLATE_BAD_HEADER:
		return broken(d, "invalid header", error);
	case INFLATE_BAD_DATA:
		return broken(d, "invalid data", error);
	case INFLATE_MORE:
	case INFLATE_END:
		break;
	}
	d->at_boundary = result == INFLATE_END;
	return true;
}

static bool gzip_feed(decompressor *d, const uint8_t *bytes, size_t n, GError **error)
{
	struct slice in = {bytes, n};
	size_t filled;
	do {
		if (d->at_boundary)
			inflater_next_member(d->u.gzip);
		enum inflate_result result = inflater_run(d->u.gzip, &in, d->out, OUT_BYTES, &filled);
		if (!emit(d, d->out, filled, error) || !gzip_check(d, result, error))
			return false;
	} while (in.len > 0 || (filled == OUT_BYTES && !d->at_boundary));
	return true;
}

/* ---- zstd */

static bool zstd_open(decompressor *d, GError **error)
{
	d->u.zstd = ZSTD_createDCtx();
	if (!d->u.zstd)
		return error_set_errno(error, ENOMEM, "start zstd");
	ZSTD_DCtx_setParameter(d->u.zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX);
	return true;
}

static bool zstd_feed(decompressor *d, const uint8_t *bytes, size_t n, GError **error)
{
	ZSTD_inBuffer in = {bytes, n, 0};
	size_t filled, left;
	do {
		ZSTD_outBuffer out = {d->out, OUT_BYTES, 0};
		left = ZSTD_decompressStream(d->u.zstd, &out, &in);
		if (!emit(d, d->out, out.pos, error))
			return false;
		if (ZSTD_isError(left))
			return broken(d, ZSTD_getErrorName(left), error);
		d->at_boundary = left == 0;
		filled = out.pos;
	} while (in.pos < in.size || (left > 0 && filled == OUT_BYTES));
	return true;
}

static void zstd_close(decompressor *d)
{
	ZSTD_freeDCtx(d->u.zstd);
}

/* ---- bzip2 */

static bool bzip2_open(decompressor *d, GError **error)
{
	memset(&d->u.bzip2, 0, sizeof d->u.bzip2);
	return BZ2_bzDecompressInit(&d->u.bzip2, 0, 0) == BZ_OK || error_set_errno(error, ENOMEM, "start bzip2");
}

static void bzip2_close(decompressor *d)
{
	BZ2_bzDecompressEnd(&d->u.bzip2);
}

/* Streams may be concatenated. */
static bool bzip2_next_stream(decompressor *d, GError **error)
{
	bz_stream rest = d->u.bzip2;
	bzip2_close(d);
	if (!bzip2_open(d, error))
		return false;
	d->u.bzip2.next_in = rest.next_in;
	d->u.bzip2.avail_in = rest.avail_in;
	d->at_boundary = false;
	return true;
}

static bool bzip2_feed(decompressor *d, const uint8_t *bytes, size_t n, GError **error)
{
	bz_stream *s = &d->u.bzip2;
	s->next_in = (char *)(gpointer)bytes; /* not modified */
	s->avail_in = (unsigned)n;
	do {
		if (d->at_boundary && s->avail_in == 0)
			return true;
		if (d->at_boundary && !bzip2_next_stream(d, error))
			return false;
		s->next_out = (char *)d->out;
		s->avail_out = OUT_BYTES;
		int r = BZ2_bzDecompress(s);
		if (!emit(d, d->out, OUT_BYTES - s->avail_out, error))
			return false;
		if (r != BZ_OK && r != BZ_STREAM_END)
			return broken(d, "invalid data", error);
		d->at_boundary = r == BZ_STREAM_END;
	} while (s->avail_in > 0 || s->avail_out == 0);
	return true;
}

/* ---- xz */

static bool xz_open(decompressor *d, GError **error)
{
	d->u.xz = (lzma_stream)LZMA_STREAM_INIT;
	return lzma_stream_decoder(&d->u.xz, XZ_MEMORY_MAX, LZMA_CONCATENATED) == LZMA_OK ||
	       error_set_errno(error, ENOMEM, "start xz");
}

static bool xz_run(decompressor *d, lzma_action action, GError **error)
{
	lzma_stream *s = &d->u.xz;
	lzma_ret r;
	do {
		s->next_out = d->out;
		s->avail_out = OUT_BYTES;
		r = lzma_code(s, action);
		if (!emit(d, d->out, OUT_BYTES - s->avail_out, error))
			return false;
		if (r == LZMA_MEMLIMIT_ERROR)
			return error_set(error, ERROR_RESOURCE_EXHAUSTED, "xz: needs too much memory");
		if (r != LZMA_OK && r != LZMA_STREAM_END && r != LZMA_BUF_ERROR)
			return broken(d, "invalid data", error);
	} while (r == LZMA_OK && (s->avail_in > 0 || s->avail_out == 0));
	return action == LZMA_RUN || r == LZMA_STREAM_END || broken(d, "unexpected EOF", error);
}

static bool xz_feed(decompressor *d, const uint8_t *bytes, size_t n, GError **error)
{
	d->u.xz.next_in = bytes;
	d->u.xz.avail_in = n;
	return xz_run(d, LZMA_RUN, error);
}

static bool xz_finish(decompressor *d, GError **error)
{
	d->u.xz.avail_in = 0;
	return xz_run(d, LZMA_FINISH, error);
}

static void xz_close(decompressor *d)
{
	lzma_end(&d->u.xz);
}

/* ---- public functions */

static const struct format formats[] = {
	{"gzip", {0x1f, 0x8b, 0x08}, 3, false, gzip_open, gzip_feed, finish_at_boundary, gzip_close},
	{"zstd", {0x28, 0xb5, 0x2f, 0xfd}, 4, false, zstd_open, zstd_feed, finish_at_boundary, zstd_close},
	{"bzip2", {'B', 'Z', 'h'}, 3, true, bzip2_open, bzip2_feed, finish_at_boundary, bzip2_close},
	{"xz", {0xfd, '7', 'z', 'X', 'Z', 0}, 6, true, xz_open, xz_feed, xz_finish, xz_close},
};
static const struct format plain = {"plain", {0}, 0, false, plain_open, plain_feed, plain_finish, plain_close};

/* A zstd stream may begin with a skippable frame: magic 0x184D2A50 to 0x184D2A5F. */
static bool is_zstd_skippable(const uint8_t *bytes, size_t n)
{
	return n >= 4 && (bytes[0] & 0xf0) == 0x50 && bytes[1] == 0x2a && bytes[2] == 0x4d && bytes[3] == 0x18;
}

static const struct format *format_of(const uint8_t *bytes, size_t n, bool any)
{
	for (size_t i = 0; i < G_N_ELEMENTS(formats); i++) {
		const struct format *f = &formats[i];
		if (f->only_any && !any)
			continue;
		if (n >= f->n_magic && memcmp(bytes, f->magic, f->n_magic) == 0)
			return f;
		if (f->open == zstd_open && is_zstd_skippable(bytes, n))
			return f;
	}
	return &plain;
}

decompressor *decompressor_new(bool any, uint64_t max_bytes, bytes_sink_fn sink, void *data)
{
	decompressor *d = g_new0(decompressor, 1);
	d->any = any;
	d->max_bytes = max_bytes;
	d->sink = sink;
	d->sink_data = data;
	return d;
}

decompressor *decompressor_new_gzip(uint64_t max_bytes, bytes_sink_fn sink, void *data)
{
	decompressor *d = decompressor_new(false, max_bytes, sink, data);
	d->gzip_only = true;
	return d;
}

static bool begin(decompressor *d, GError **error)
{
	const struct format *f = d->gzip_only ? &formats[0] : format_of(d->head, d->n_head, d->any);
	if (f != &plain)
		d->out = g_malloc(OUT_BYTES);
	if (!f->open(d, error))
		return false;
	d->format = f;
	return f->feed(d, d->head, d->n_head, error);
}

bool decompressor_write(decompressor *d, const void *bytes, size_t n, GError **error)
{
	const uint8_t *p = bytes;
	if (!d->format) {
		size_t take = MIN(n, MAGIC_BYTES - d->n_head);
		memcpy(d->head + d->n_head, p, take);
		d->n_head += take;
		p += take;
		n -= take;
		if (d->n_head < MAGIC_BYTES)
			return true;
		if (!begin(d, error))
			return false;
	}
	while (n > 0) { /* the libraries use 32-bit sizes */
		size_t part = MIN(n, (size_t)G_MAXINT32);
		if (!d->format->feed(d, p, part, error))
			return false;
		p += part;
		n -= part;
	}
	return true;
}

bool decompressor_finish(decompressor *d, GError **error)
{
	if (d->gzip_only && !d->format && d->n_head == 0)
		return true;
	if (!d->format && !begin(d, error))
		return false;
	return d->format->finish(d, error);
}

void decompressor_free(decompressor *d)
{
	if (!d)
		return;
	if (d->format)
		d->format->close(d);
	g_free(d->out);
	g_free(d);
}
