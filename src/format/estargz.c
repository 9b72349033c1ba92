/* SPDX-License-Identifier: Apache-2.0 */
#include "format/estargz.h"
#include "base/limits.h"
#include "format/json_writer.h"
#include "format/tar.h"
#include <string.h>
#include <time.h>

#define FOOTER_AT_OFFSET 16
#define OFFSET_DIGITS 16
#define MAGIC "STARGZ"
#define DIGEST_BYTES 71                /* "sha256:" and 64 digits */
#define NEWEST_S INT64_C(253402300799) /* the last second that RFC 3339 can represent */

struct hole { /* position in the table of an offset that is known later */
	gsize at;
	guint cut; /* index into compressor_cuts */
};

struct estargz_writer {
	compressor *gzip; /* owned */
	tar_scan *scan;   /* owned */
	int level;
	bytes_sink_fn sink;
	void *data;
	uint64_t n_written;
	GString *table; /* owned: JSON of the entries so far */
	GArray *holes;  /* owned: of struct hole */
	guint n_cuts;
	GString *tail; /* owned; NULL before finish */
	struct digest table_digest;
	/* the file whose contents are being read */
	hasher *whole, *chunk; /* owned */
	char *name;            /* owned */
	int64_t left, chunk_left, offset;
	gsize whole_at, chunk_at; /* positions of their digests in the table */
};

static bool count_out(void *data, const void *bytes, size_t n, GError **error)
{
	estargz_writer *w = data;
	w->n_written += n;
	return w->sink(w->data, bytes, n, error);
}

/* ---- entries of the table */

static const struct {
	char type;
	const char *name;
} entry_types[] = {{'0', "reg"},   {'1', "hardlink"}, {'2', "symlink"}, {'3', "char"},
		   {'4', "block"}, {'5', "dir"},      {'6', "fifo"}};

static const char *type_name(char type)
{
	for (size_t i = 0; i < G_N_ELEMENTS(entry_types); i++)
		if (entry_types[i].type == type)
			return entry_types[i].name;
	return NULL;
}

/* Recognizes "stargz.index.json" in any spelling of the path. */
static bool is_table(const char *name)
{
	while (g_str_has_prefix(name, "./") || *name == '/')
		name += *name == '/' ? 1 : 2;
	return g_str_equal(name, ESTARGZ_TABLE_NAME);
}

static void put_mtime(json_writer *j, int64_t mtime_s)
{
	time_t when = (time_t)mtime_s;
	struct tm tm;
	char text[32];
	if (when == 0 || mtime_s > NEWEST_S || !gmtime_r(&when, &tm) || tm.tm_year < -1899)
		return;
	g_snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
		   tm.tm_hour, tm.tm_min, tm.tm_sec);
	json_put_string_member(j, "modtime", text);
}

static void put_xattrs(json_writer *j, const struct tar_entry *e)
{
	if (e->n_xattrs == 0)
		return;
	json_object_member_begin(j, "xattrs");
	for (size_t i = 0; i < e->n_xattrs; i++) {
		json_key(j, e->xattrs[i].name);
		json_put_base64(j, e->xattrs[i].value, e->xattrs[i].len);
	}
	json_object_end(j);
}

static char *entry_json(const struct tar_entry *e, const char *type)
{
	json_writer *j = json_writer_new(0);
	json_object_begin(j);
	json_put_string_member(j, "name", e->name);
	json_put_string_member(j, "type", type);
	json_put_int_member_nonzero(j, "size", e->size);
	put_mtime(j, e->mtime_s);
	if (e->type == '1' || e->type == '2')
		json_put_string_member_nonempty(j, "linkName", e->link);
	json_put_int_member_nonzero(j, "mode", e->mode);
	json_put_int_member_nonzero(j, "uid", e->uid);
	json_put_int_member_nonzero(j, "gid", e->gid);
	json_put_string_member_nonempty(j, "userName", e->user);
	json_put_string_member_nonempty(j, "groupName", e->group);
	json_put_int_member_nonzero(j, "devMajor", e->device_major);
	json_put_int_member_nonzero(j, "devMinor", e->device_minor);
	put_xattrs(j, e);
	json_object_end(j);
	return json_writer_take(&j, NULL);
}

/* Begins an object whose closing brace follows later. */
static bool table_open(estargz_writer *w, const char *json, GError **error)
{
	if (w->table->len > (gsize)LIMIT_TABLE_BYTES)
		return error_set(error, ERROR_RESOURCE_EXHAUSTED, "estargz table of contents over %lld bytes",
				 LIMIT_TABLE_BYTES);
	if (w->table->len > 0)
		g_string_append_c(w->table, ',');
	g_string_append_len(w->table, json, (gssize)strlen(json) - 1);
	return true;
}

/* Reserves space for a digest that is known later; returns its position. */
static gsize table_reserve(estargz_writer *w, const char *key)
{
	g_string_append_printf(w->table, ",\"%s\":\"", key);
	gsize at = w->table->len;
	g_string_set_size(w->table, at + DIGEST_BYTES);
	memset(w->table->str + at, '0', DIGEST_BYTES);
	g_string_append_c(w->table, '"');
	return at;
}

static void table_fill(estargz_writer *w, gsize at, hasher *h)
{
	struct digest d;
	hasher_finish(h, &d);
	hasher_reset(h);
	memcpy(w->table->str + at, d.text, DIGEST_BYTES);
}

/* ---- contents of files */

/* The open object describes the following bytes; closes it. */
static bool chunk_begin(estargz_writer *w, GError **error)
{
	if (!compressor_cut(w->gzip, error))
		return false;
	g_string_append(w->table, ",\"offset\":");
	struct hole hole = {w->table->len, w->n_cuts++};
	g_array_append_val(w->holes, hole);
	if (w->offset > 0)
		g_string_append_printf(w->table, ",\"chunkOffset\":%" G_GINT64_FORMAT, w->offset);
	w->chunk_left = MIN(w->left, ESTARGZ_CHUNK_BYTES);
	if (w->left >= ESTARGZ_CHUNK_BYTES)
		g_string_append_printf(w->table, ",\"chunkSize\":%d", ESTARGZ_CHUNK_BYTES);
	w->chunk_at = table_reserve(w, "chunkDigest");
	g_string_append_c(w->table, '}');
	return true;
}

static bool chunk_follow(estargz_writer *w, GError **error)
{
	json_writer *j = json_writer_new(0);
	json_object_begin(j);
	json_put_string_member(j, "name", w->name);
	json_put_string_member(j, "type", "chunk");
	json_object_end(j);
	g_autofree char *json = json_writer_take(&j, NULL);
	return table_open(w, json, error) && chunk_begin(w, error);
}

static bool on_contents(void *data, const void *bytes, size_t n, GError **error)
{
	estargz_writer *w = data;
	const uint8_t *p = bytes;
	while (n > 0) {
		if (w->chunk_left == 0 && !chunk_follow(w, error))
			return false;
		size_t some = (size_t)MIN((int64_t)n, w->chunk_left);
		if (!compressor_write(w->gzip, p, some, error))
			return false;
		hasher_update(w->whole, p, some);
		hasher_update(w->chunk, p, some);
		w->chunk_left -= (int64_t)some;
		w->left -= (int64_t)some;
		w->offset += (int64_t)some;
		if (w->chunk_left == 0)
			table_fill(w, w->chunk_at, w->chunk);
		if (w->left == 0)
			table_fill(w, w->whole_at, w->whole);
		p += some;
		n -= some;
	}
	return true;
}

static bool on_entry(void *data, const struct tar_entry *e, GError **error)
{
	estargz_writer *w = data;
	const char *type = type_name(e->type);
	if (e->is_sparse)
		return error_set(error, ERROR_INVALID_ARGUMENT, "archive/tar: invalid tar header");
	if (!type)
		return error_set(error, ERROR_INVALID_ARGUMENT, "unsupported input tar entry '%c'", e->type);
	if (is_table(e->name))
		return error_set(error, ERROR_INVALID_ARGUMENT, "a layer with a file %s cannot be estargz",
				 ESTARGZ_TABLE_NAME);
	g_autofree char *json = entry_json(e, type);
	if (!table_open(w, json, error))
		return false;
	if (e->type == '0') {
		w->whole_at = table_reserve(w, "digest");
		if (e->size == 0)
			table_fill(w, w->whole_at, w->whole);
	}
	if (e->size == 0 || e->type != '0') {
		g_string_append_c(w->table, '}');
		return true;
	}
	g_free(w->name);
	w->name = g_strdup(e->name);
	w->left = e->size;
	w->offset = 0;
	return chunk_begin(w, error);
}

static bool on_frame(void *data, const void *bytes, size_t n, bool is_end, GError **error)
{
	return compressor_write(((estargz_writer *)data)->gzip, bytes, n, error);
}

/* ---- the end */

/* Writes the header of the archive with the table. */
static struct tar_block tail_header(size_t n_table)
{
	struct tar_block b = {.name = ESTARGZ_TABLE_NAME, .type = '0', .magic = "ustar", .version = {'0', '0'}};
	tar_number_write(b.mode, sizeof b.mode, 0);
	tar_number_write(b.uid, sizeof b.uid, 0);
	tar_number_write(b.gid, sizeof b.gid, 0);
	tar_number_write(b.size, sizeof b.size, (int64_t)n_table);
	tar_number_write(b.mtime, sizeof b.mtime, 0);
	tar_checksum_write(&b);
	return b;
}

/* Builds the table with all offsets filled in, as a tar archive. */
static GString *tail_make(estargz_writer *w)
{
	const GArray *cuts = compressor_cuts(w->gzip);
	GString *tail = g_string_sized_new(w->table->len + w->holes->len * 8 + 4 * TAR_BLOCK);
	g_string_set_size(tail, TAR_BLOCK);
	g_string_append(tail, "{\"version\":1,\"entries\":[");
	gsize at = 0;
	for (guint i = 0; i < w->holes->len; i++) {
		const struct hole *hole = &g_array_index(w->holes, struct hole, i);
		g_string_append_len(tail, w->table->str + at, (gssize)(hole->at - at));
		g_string_append_printf(tail, "%" G_GUINT64_FORMAT, g_array_index(cuts, uint64_t, hole->cut));
		at = hole->at;
	}
	g_string_append_len(tail, w->table->str + at, (gssize)(w->table->len - at));
	g_string_append(tail, "]}");
	size_t n = tail->len - TAR_BLOCK;
	*(struct tar_block *)(void *)tail->str = tail_header(n);
	digest_of(tail->str + TAR_BLOCK, n, &w->table_digest);
	gsize used = tail->len, size = used + tar_padding((int64_t)n) + 2 * TAR_BLOCK;
	g_string_set_size(tail, size);
	memset(tail->str + used, 0, size - used);
	return tail;
}

/* Builds an empty gzip member that contains the offset of the table. */
static bool footer_write(estargz_writer *w, uint64_t table_at, GError **error)
{
	static const uint8_t head[FOOTER_AT_OFFSET] = {0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0xff, 26, 0, 'S', 'G', 22, 0};
	static const uint8_t empty[] = {1, 0, 0, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0};
	uint8_t footer[ESTARGZ_FOOTER_BYTES];
	char offset[OFFSET_DIGITS + sizeof MAGIC];
	g_snprintf(offset, sizeof offset, "%016" G_GINT64_MODIFIER "x" MAGIC, table_at);
	memcpy(footer, head, sizeof head);
	memcpy(footer + sizeof head, offset, sizeof offset - 1);
	memcpy(footer + sizeof head + sizeof offset - 1, empty, sizeof empty);
	return count_out(w, footer, sizeof footer, error);
}

bool estargz_writer_finish(estargz_writer *w, GError **error)
{
	if (!tar_scan_finish(w->scan, error) || !compressor_finish(w->gzip, error))
		return false;
	uint64_t table_at = w->n_written;
	w->tail = tail_make(w);
	return gzip_member(w->level, w->tail->str, w->tail->len, count_out, w, error) &&
	       footer_write(w, table_at, error);
}

const GString *estargz_writer_tail(const estargz_writer *w)
{
	return w->tail;
}

const struct digest *estargz_writer_table_digest(const estargz_writer *w)
{
	return &w->table_digest;
}

/* ---- creating and finishing */

bool estargz_writer_write(estargz_writer *w, const void *bytes, size_t n, GError **error)
{
	return tar_scan_write(w->scan, bytes, n, error);
}

estargz_writer *estargz_writer_new(int level, bytes_sink_fn sink, void *data, GError **error)
{
	static const struct tar_scan_handler handler = {.frame = on_frame, .entry = on_entry, .contents = on_contents};
	g_autoptr(estargz_writer) w = g_new0(estargz_writer, 1);
	w->level = level;
	w->sink = sink;
	w->data = data;
	w->gzip = compressor_new(COMPRESSION_GZIP, level, count_out, w, error);
	if (!w->gzip)
		return NULL;
	w->scan = tar_scan_new(&handler, w);
	w->table = g_string_new(NULL);
	w->holes = g_array_new(FALSE, FALSE, sizeof(struct hole));
	w->whole = hasher_new_sha256();
	w->chunk = hasher_new_sha256();
	return g_steal_pointer(&w);
}

void estargz_writer_free(estargz_writer *w)
{
	if (!w)
		return;
	compressor_free(w->gzip);
	tar_scan_free(w->scan);
	if (w->table)
		g_string_free(w->table, TRUE);
	if (w->tail)
		g_string_free(w->tail, TRUE);
	g_clear_pointer(&w->holes, g_array_unref);
	hasher_free(w->whole);
	hasher_free(w->chunk);
	g_free(w->name);
	g_free(w);
}

/* ---- reading */

/* Parses "STARGZ" and the offset of the table, in an empty member at the end of the blob. */
bool estargz_footer_read(const uint8_t footer[static ESTARGZ_FOOTER_BYTES], int64_t *ret_table_at)
{
	static const uint8_t extra[] = {26, 0, 'S', 'G', 22, 0};
	const uint8_t *digits = footer + FOOTER_AT_OFFSET;
	guint64 at;
	if (footer[0] != 0x1f || footer[1] != 0x8b || footer[2] != 8 || !(footer[3] & 4) ||
	    memcmp(footer + 10, extra, sizeof extra) != 0 || memcmp(digits + OFFSET_DIGITS, MAGIC, strlen(MAGIC)) != 0)
		return false;
	g_autofree char *text = g_strndup((const char *)digits, OFFSET_DIGITS);
	if (!g_ascii_string_to_unsigned(text, 16, 0, G_MAXINT64, &at, NULL))
		return false;
	*ret_table_at = (int64_t)at;
	return true;
}
