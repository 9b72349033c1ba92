/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The output depends on the input and the level only, never on the number of cores: gzip is split into members of 1
 * MiB; zstd input below 1 MiB is compressed at once, larger input by libzstd's jobs, whose size does not depend on the
 * number of workers.
 */
#include "format/compress.h"
#include "base/pool.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <libdeflate.h>
#include <zstd.h>

enum {
	BLOCK_BYTES = 1024 * 1024,
	/*
	 * Of 200 MB of Debian's programs: 136 MB/s and 2.7 % larger than zlib's level 6, which other builders use. Level 6
	 * of libdeflate makes 81 MB/s and is 0.8 % smaller, level 1 makes 211 MB/s and is 7.6 % larger.
	 */
	GZIP_LEVEL = 3,
	GZIP_LEVEL_MAX = 9,
	ZSTD_LEVEL = 3,
	ZSTD_LEVEL_MAX = 22,
	ZSTD_WINDOW_LOG = 23,             /* every decoder supports 8 MiB (RFC 8878, 3.1.1.1.2) */
	ZSTD_LARGE_WINDOW_LEVEL = 20,     /* from here on libzstd's own window is larger */
	ZSTD_JOB_BYTES = 8 * 1024 * 1024, /* libzstd's default is four windows, for each worker */
	WORKERS_MAX = 16,
};

/* One gzip member: filled by the caller, compressed by a pool thread, written by the caller, in order. */
struct member {
	uint8_t *in, *out; /* owned */
	size_t n_in, n_out, out_size;
	struct libdeflate_compressor *deflate; /* owned */
	bool done;                             /* guarded by compressor.mu */
	bool is_cut;                           /* begins at a position that the caller requested */
	struct compressor *owner;
};

struct compressor {
	enum compression type;
	int level;
	bytes_sink_fn sink;
	void *sink_data;
	/* gzip */
	struct member *members; /* owned, a ring */
	size_t n_members, oldest, n_busy;
	bool is_first; /* no member was passed to the pool yet */
	GArray *cuts;  /* owned: of uint64_t */
	uint64_t n_written;
	GMutex mu;
	GCond changed;
	/* zstd */
	ZSTD_CCtx *zstd;  /* owned */
	GByteArray *head; /* owned: input so far, until it is too large to compress at once */
	uint8_t *out;     /* owned */
	size_t out_size;
};

static size_t n_workers(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);
	return (size_t)CLAMP(n, 1, WORKERS_MAX);
}

/* ---- gzip */

static void member_compress(struct member *m)
{
	m->n_out = libdeflate_gzip_compress(m->deflate, m->in, m->n_in, m->out, m->out_size);
}

static void member_run(void *data, void *unused)
{
	struct member *m = data;
	struct compressor *c = m->owner;
	member_compress(m);
	g_mutex_lock(&c->mu);
	m->done = true;
	g_cond_signal(&c->changed);
	g_mutex_unlock(&c->mu);
}

/* Shared by all compressors of the process. */
static pool *pool_get(void)
{
	static pool *shared;
	if (g_once_init_enter(&shared))
		g_once_init_leave(&shared, pool_new("gzip", (unsigned)n_workers(), member_run, NULL));
	return shared;
}

static bool member_ready(struct member *m, int level, GError **error)
{
	if (m->in)
		return true;
	m->deflate = libdeflate_alloc_compressor(level);
	if (!m->deflate)
		return error_set_errno(error, ENOMEM, "start gzip");
	m->out_size = libdeflate_gzip_compress_bound(m->deflate, BLOCK_BYTES);
	m->in = g_malloc(BLOCK_BYTES);
	m->out = g_malloc(m->out_size);
	return true;
}

static struct member *member_filling(compressor *c)
{
	return &c->members[(c->oldest + c->n_busy) % c->n_members];
}

static void member_wait(compressor *c, struct member *m)
{
	g_mutex_lock(&c->mu);
	while (!m->done)
		g_cond_wait(&c->changed, &c->mu);
	g_mutex_unlock(&c->mu);
}

static bool member_write(compressor *c, struct member *m, GError **error)
{
	size_t n = m->n_out;
	m->n_in = 0;
	if (n == 0)
		return error_set(error, ERROR_INTERNAL, "gzip member does not fit");
	if (m->is_cut)
		g_array_append_val(c->cuts, c->n_written);
	m->is_cut = false;
	c->n_written += n;
	return c->sink(c->sink_data, m->out, n, error);
}

/* Writes the oldest pending member. */
static bool gzip_retire(compressor *c, GError **error)
{
	struct member *m = &c->members[c->oldest];
	member_wait(c, m);
	c->oldest = (c->oldest + 1) % c->n_members;
	c->n_busy--;
	return member_write(c, m, error);
}

static bool gzip_submit(compressor *c, GError **error)
{
	struct member *m = member_filling(c);
	m->done = false;
	m->owner = c;
	c->is_first = false;
	c->n_busy++;
	if (!pool_push(pool_get(), m, NULL))
		member_run(m, NULL);
	while (c->n_busy == c->n_members)
		if (!gzip_retire(c, error))
			return false;
	return true;
}

static bool gzip_write(compressor *c, const uint8_t *bytes, size_t n, GError **error)
{
	while (n > 0) {
		struct member *m = member_filling(c);
		if (!member_ready(m, c->level, error))
			return false;
		if (m->n_in == BLOCK_BYTES) { /* more input follows, so this is not the last member */
			if (!gzip_submit(c, error))
				return false;
			continue;
		}
		size_t take = MIN(n, BLOCK_BYTES - m->n_in);
		memcpy(m->in + m->n_in, bytes, take);
		m->n_in += take;
		bytes += take;
		n -= take;
	}
	return true;
}

bool compressor_cut(compressor *c, GError **error)
{
	g_assert(c->type == COMPRESSION_GZIP);
	if (member_filling(c)->n_in > 0 && !gzip_submit(c, error))
		return false;
	member_filling(c)->is_cut = true;
	return true;
}

const GArray *compressor_cuts(const compressor *c)
{
	return c->cuts;
}

/* The last member is compressed here, in parallel with pending ones; an empty input gives one empty member. */
static bool gzip_finish(compressor *c, GError **error)
{
	struct member *last = member_filling(c);
	if (!member_ready(last, c->level, error))
		return false;
	bool has_last = last->n_in > 0 || c->is_first;
	if (has_last)
		member_compress(last);
	while (c->n_busy > 0)
		if (!gzip_retire(c, error))
			return false;
	return !has_last || member_write(c, last, error);
}

static void gzip_free(compressor *c)
{
	for (; c->n_busy > 0; c->n_busy--) { /* wait: threads still write to the memory to be freed */
		member_wait(c, &c->members[c->oldest]);
		c->oldest = (c->oldest + 1) % c->n_members;
	}
	for (size_t i = 0; i < c->n_members; i++) {
		g_free(c->members[i].in);
		g_free(c->members[i].out);
		libdeflate_free_compressor(c->members[i].deflate);
	}
	g_free(c->members);
	g_clear_pointer(&c->cuts, g_array_unref);
}

/* ---- zstd */

static bool zstd_failed(size_t code, GError **error)
{
	return error_set(error, ERROR_UNKNOWN, "zstd: %s", ZSTD_getErrorName(code));
}

static bool zstd_stream(compressor *c, const void *bytes, size_t n, ZSTD_EndDirective end, GError **error)
{
	ZSTD_inBuffer in = {bytes, n, 0};
	for (;;) {
		ZSTD_outBuffer out = {c->out, c->out_size, 0};
		size_t left = ZSTD_compressStream2(c->zstd, &out, &in, end);
		if (ZSTD_isError(left))
			return zstd_failed(left, error);
		if (out.pos > 0 && !c->sink(c->sink_data, c->out, out.pos, error))
			return false;
		if (end == ZSTD_e_end ? left == 0 : in.pos == in.size)
			return true;
	}
}

/* The input is too large to compress at once: starts a stream that several threads work on. */
static bool zstd_begin_stream(compressor *c, GError **error)
{
	ZSTD_CCtx_setParameter(c->zstd, ZSTD_c_nbWorkers, (int)n_workers()); /* single-threaded libraries refuse this */
	ZSTD_CCtx_setParameter(c->zstd, ZSTD_c_jobSize, ZSTD_JOB_BYTES);
	c->out_size = ZSTD_CStreamOutSize();
	c->out = g_malloc(c->out_size);
	g_autoptr(GByteArray) head = g_steal_pointer(&c->head);
	return zstd_stream(c, head->data, head->len, ZSTD_e_continue, error);
}

static bool zstd_write(compressor *c, const uint8_t *bytes, size_t n, GError **error)
{
	if (c->head && c->head->len + n <= BLOCK_BYTES) {
		g_byte_array_append(c->head, bytes, (guint)n);
		return true;
	}
	if (c->head && !zstd_begin_stream(c, error))
		return false;
	return zstd_stream(c, bytes, n, ZSTD_e_continue, error);
}

static bool zstd_finish(compressor *c, GError **error)
{
	if (!c->head)
		return zstd_stream(c, NULL, 0, ZSTD_e_end, error);
	c->out_size = ZSTD_compressBound(c->head->len);
	c->out = g_malloc(c->out_size);
	size_t n = ZSTD_compress2(c->zstd, c->out, c->out_size, c->head->data, c->head->len);
	if (ZSTD_isError(n))
		return zstd_failed(n, error);
	return c->sink(c->sink_data, c->out, n, error);
}

static bool zstd_init(compressor *c, GError **error)
{
	c->zstd = ZSTD_createCCtx();
	if (!c->zstd)
		return error_set_errno(error, ENOMEM, "start zstd");
	ZSTD_CCtx_setParameter(c->zstd, ZSTD_c_compressionLevel, c->level);
	ZSTD_CCtx_setParameter(c->zstd, ZSTD_c_checksumFlag, 1);
	c->head = g_byte_array_new();
	if (c->level >= ZSTD_LARGE_WINDOW_LEVEL)
		return true;
	/* Layers contain the same data far apart: a larger window and long distance matching cost little and save much. */
	ZSTD_CCtx_setParameter(c->zstd, ZSTD_c_windowLog, ZSTD_WINDOW_LOG);
	ZSTD_CCtx_setParameter(c->zstd, ZSTD_c_enableLongDistanceMatching, 1);
	return true;
}

/* ---- public functions */

static int level_or_default(enum compression type, int level)
{
	if (type == COMPRESSION_ZSTD)
		return level < 0 ? ZSTD_LEVEL : MIN(level, ZSTD_LEVEL_MAX);
	return level < 0 ? GZIP_LEVEL : MIN(level, GZIP_LEVEL_MAX);
}

compressor *compressor_new(enum compression type, int level, bytes_sink_fn sink, void *data, GError **error)
{
	if (type == COMPRESSION_ESTARGZ)
		return error_null(error, ERROR_INVALID_ARGUMENT, "estargz requires a tar stream as input");
	g_autoptr(compressor) c = g_new0(compressor, 1);
	g_mutex_init(&c->mu);
	g_cond_init(&c->changed);
	c->type = type;
	c->level = level_or_default(type, level);
	c->sink = sink;
	c->sink_data = data;
	c->is_first = true;
	if (type == COMPRESSION_GZIP) {
		c->n_members = n_workers() + 2;
		c->members = g_new0(struct member, c->n_members);
		c->cuts = g_array_new(FALSE, FALSE, sizeof(uint64_t));
	}
	if (type == COMPRESSION_ZSTD && !zstd_init(c, error))
		return NULL;
	return g_steal_pointer(&c);
}

bool gzip_member(int level, const void *bytes, size_t n, bytes_sink_fn sink, void *data, GError **error)
{
	struct libdeflate_compressor *deflate = libdeflate_alloc_compressor(level_or_default(COMPRESSION_GZIP, level));
	if (!deflate)
		return error_set_errno(error, ENOMEM, "start gzip");
	size_t size = libdeflate_gzip_compress_bound(deflate, n);
	g_autofree void *out = g_malloc(size);
	size = libdeflate_gzip_compress(deflate, bytes, n, out, size);
	libdeflate_free_compressor(deflate);
	return size > 0 ? sink(data, out, size, error) : error_set(error, ERROR_INTERNAL, "gzip member does not fit");
}

bool compressor_write(compressor *c, const void *bytes, size_t n, GError **error)
{
	if (n == 0)
		return true;
	switch (c->type) {
	case COMPRESSION_GZIP:
		return gzip_write(c, bytes, n, error);
	case COMPRESSION_ZSTD:
		return zstd_write(c, bytes, n, error);
	case COMPRESSION_NONE:
	case COMPRESSION_ESTARGZ:
		break;
	}
	return c->sink(c->sink_data, bytes, n, error);
}

bool compressor_finish(compressor *c, GError **error)
{
	if (c->type == COMPRESSION_GZIP)
		return gzip_finish(c, error);
	return c->type != COMPRESSION_ZSTD || zstd_finish(c, error);
}

void compressor_free(compressor *c)
{
	if (!c)
		return;
	gzip_free(c);
	ZSTD_freeCCtx(c->zstd);
	g_clear_pointer(&c->head, g_byte_array_unref);
	g_free(c->out);
	g_mutex_clear(&c->mu);
	g_cond_clear(&c->changed);
	g_free(c);
}
