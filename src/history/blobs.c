/* SPDX-License-Identifier: Apache-2.0 */
#include "history/blobs.h"
#include "format/compress.h"

#define LEVEL 3
#define WORTH 1024 /* smaller parts are not compressed */

static bool append(void *data, const void *bytes, size_t n, GError **error)
{
	g_byte_array_append(data, bytes, (guint)n);
	return true;
}

/* NULL: it does not become smaller. */
static GByteArray *compress(const void *bytes, size_t n)
{
	g_autoptr(GByteArray) out = g_byte_array_new();
	g_autoptr(compressor) c = n < WORTH ? NULL : compressor_new(COMPRESSION_ZSTD, LEVEL, append, out, NULL);
	bool ok = c && compressor_write(c, bytes, n, NULL) && compressor_finish(c, NULL);
	return ok && out->len < n ? g_steal_pointer(&out) : NULL;
}

static bool put_part(db *d, const char *ref, const char *digest, gsize at, GBytes *bytes, GError **error)
{
	gsize size = 0;
	const uint8_t *start = g_bytes_get_data(bytes, &size);
	gsize n = MIN(size - at, BLOBS_PART);
	const void *part = start ? start + at : (const void *)"";
	g_autoptr(GByteArray) small = compress(part, n);
	return db_run(d, "INSERT OR REPLACE INTO blobs VALUES(?, ?, ?, ?, ?, ?)", error, "ssiiib", ref, digest,
		      (int64_t)(at / BLOBS_PART), (int64_t)size, (int64_t)(small != NULL), small ? small->data : part,
		      small ? (size_t)small->len : n);
}

bool blobs_put(db *d, const char *ref, const char *digest, GBytes *bytes, GError **error)
{
	gsize at = 0;
	do
		if (!put_part(d, ref, digest, at, bytes, error))
			return false;
	while ((at += BLOBS_PART) < g_bytes_get_size(bytes));
	return true;
}

int64_t blobs_size(db *d, const char *digest)
{
	g_autoptr(db_query) q = db_select(d, "SELECT size FROM blobs WHERE digest = ? LIMIT 1", NULL, "s", digest);
	return q && db_next(q, NULL) ? db_int(q, 0) : -1;
}

static GBytes *decompress(const void *bytes, size_t n, GError **error)
{
	g_autoptr(GByteArray) out = g_byte_array_new();
	g_autoptr(decompressor) d = decompressor_new(false, BLOBS_PART, append, out);
	if (!decompressor_write(d, bytes, n, error) || !decompressor_finish(d, error))
		return NULL;
	return g_byte_array_free_to_bytes(g_steal_pointer(&out));
}

static GBytes *read_part(db *d, const char *digest, int64_t part, GError **error)
{
	g_autoptr(db_query) q = db_select(d, "SELECT zstd, bytes FROM blobs WHERE digest = ? AND part = ? LIMIT 1",
					  error, "si", digest, part);
	g_autoptr(GError) why = NULL;
	if (!q)
		return NULL;
	if (!db_next(q, &why))
		return why ? error_propagate_null(error, g_steal_pointer(&why))
			   : error_null(error, ERROR_NOT_FOUND, "content %s: not found", digest);
	size_t n = 0;
	const void *bytes = db_bytes(q, 1, &n);
	return db_int(q, 0) ? decompress(bytes, n, error) : g_bytes_new(bytes, n);
}

GBytes *blobs_read(db *d, const char *digest, int64_t offset, GError **error)
{
	g_autoptr(GBytes) part = read_part(d, digest, offset / BLOBS_PART, error);
	gsize skip = (gsize)(offset % BLOBS_PART), n = part ? g_bytes_get_size(part) : 0;
	if (!part)
		return NULL;
	if (skip >= n)
		return error_null(error, ERROR_DATA_LOSS, "content %s is incomplete", digest);
	return g_bytes_new_from_bytes(part, skip, n - skip);
}

GBytes *blobs_get(db *d, const char *digest)
{
	int64_t size = blobs_size(d, digest);
	if (size < 0)
		return NULL;
	g_autoptr(GByteArray) out = g_byte_array_sized_new((guint)size);
	while (out->len < size) {
		g_autoptr(GBytes) part = blobs_read(d, digest, out->len, NULL);
		if (!part)
			return NULL;
		g_byte_array_append(out, g_bytes_get_data(part, NULL), (guint)g_bytes_get_size(part));
	}
	return g_byte_array_free_to_bytes(g_steal_pointer(&out));
}
