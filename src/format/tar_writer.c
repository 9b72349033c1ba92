/* SPDX-License-Identifier: Apache-2.0 */
#include "format/tar.h"
#include <string.h>

enum { BUFFER_BYTES = 128 * 1024 };

struct tar_writer {
	bytes_sink_fn sink;
	void *sink_data;
	uint8_t *buffer; /* owned */
	size_t n;
	int64_t left; /* remaining data bytes of the current entry */
	size_t padding;
};

tar_writer *tar_writer_new(bytes_sink_fn sink, void *data)
{
	tar_writer *w = g_new0(tar_writer, 1);
	w->sink = sink;
	w->sink_data = data;
	w->buffer = g_malloc(BUFFER_BYTES);
	return w;
}

void tar_writer_free(tar_writer *w)
{
	if (!w)
		return;
	g_free(w->buffer);
	g_free(w);
}

static bool flush(tar_writer *w, GError **error)
{
	size_t n = w->n;
	w->n = 0;
	return n == 0 || w->sink(w->sink_data, w->buffer, n, error);
}

static bool put(tar_writer *w, const void *bytes, size_t n, GError **error)
{
	if (n > BUFFER_BYTES - w->n && !flush(w, error))
		return false;
	if (n >= BUFFER_BYTES)
		return w->sink(w->sink_data, bytes, n, error);
	if (n > 0)
		memcpy(w->buffer + w->n, bytes, n);
	w->n += n;
	return true;
}

static bool put_zeros(tar_writer *w, size_t n, GError **error)
{
	static const uint8_t zeros[2 * TAR_BLOCK];
	return put(w, zeros, n, error);
}

/* ---- fields */

static bool is_ascii(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text >= 0x80)
			return false;
	return true;
}

/* As much of the ASCII text as fits: readers that support PAX ignore this field. */
static void set_text(char *field, size_t width, const char *text)
{
	g_autofree char *ascii = g_malloc(strlen(text) + 1);
	size_t n = 0;
	for (; *text; text++)
		if ((unsigned char)*text < 0x80)
			ascii[n++] = *text;
	memset(field, 0, width);
	memcpy(field, ascii, MIN(n, width));
	if (n > width && field[width - 1] == '/') { /* some readers would treat it as a directory */
		size_t keep = width - 1;
		while (keep > 0 && field[keep - 1] == '/')
			keep--;
		field[keep] = '\0';
	}
}

/* Offset at which a long ASCII name is split into prefix and name, or 0. */
static size_t split_at(const char *name)
{
	const struct tar_block *b = NULL;
	size_t len = strlen(name), max = MIN(len, sizeof b->prefix + 1);
	if (len <= sizeof b->name || !is_ascii(name))
		return 0;
	if (max == len && name[len - 1] == '/')
		max--;
	const char *slash = memrchr(name, '/', max);
	size_t at = slash ? (size_t)(slash - name) : 0, rest = len - at - 1;
	return rest > 0 && rest <= sizeof b->name ? at : 0;
}

static bool put_block(tar_writer *w, struct tar_block *b, GError **error)
{
	memcpy(b->magic, "ustar", 6);
	memcpy(b->version, "00", 2);
	tar_checksum_write(b);
	return put(w, b, sizeof *b, error);
}

/* ---- pax */

static void add_number(GByteArray *pax, const char *key, int64_t value)
{
	g_autofree char *text = g_strdup_printf("%" G_GINT64_FORMAT, value);
	tar_record_write(pax, "", key, text, strlen(text));
}

static bool needs_record(const char *text)
{
	return strlen(text) > sizeof((struct tar_block *)NULL)->name || !is_ascii(text);
}

static void add_text(GByteArray *pax, const char *key, const char *text)
{
	tar_record_write(pax, "", key, text, strlen(text));
}

/* Times before 1970 are written without their nanoseconds. */
static void add_mtime(struct tar_block *b, const struct tar_entry *e, GByteArray *pax)
{
	bool fits = tar_number_write(b->mtime, sizeof b->mtime, e->mtime_s);
	if (e->mtime_ns > 0 && e->mtime_s >= 0) {
		g_autofree char *text =
			g_strdup_printf("%" G_GINT64_FORMAT ".%09" G_GINT64_FORMAT, e->mtime_s, e->mtime_ns);
		add_text(pax, "mtime", text);
	} else if (!fits) {
		add_number(pax, "mtime", e->mtime_s);
	}
}

/* Fills the block; values that do not fit are added to pax, sorted by key. */
static void block_fill(struct tar_block *b, const struct tar_entry *e, GByteArray *pax)
{
	b->type = e->type;
	tar_number_write(b->mode, sizeof b->mode, e->mode);
	tar_number_write(b->device_major, sizeof b->device_major, e->device_major);
	tar_number_write(b->device_minor, sizeof b->device_minor, e->device_minor);
	for (size_t i = 0; i < e->n_records; i++)
		tar_record_write(pax, "", e->records[i].name, e->records[i].value, e->records[i].len);
	for (size_t i = 0; i < e->n_xattrs; i++)
		tar_record_write(pax, "SCHILY.xattr.", e->xattrs[i].name, e->xattrs[i].value, e->xattrs[i].len);
	if (!tar_number_write(b->gid, sizeof b->gid, e->gid))
		add_number(pax, "gid", e->gid);
	if (e->link && needs_record(e->link))
		add_text(pax, "linkpath", e->link);
	set_text(b->link, sizeof b->link, e->link ? e->link : "");
	add_mtime(b, e, pax);
	bool size_fits = tar_number_write(b->size, sizeof b->size, e->size);
	bool uid_fits = tar_number_write(b->uid, sizeof b->uid, e->uid);
	size_t at = split_at(e->name);
	if (at > 0 && pax->len == 0 && size_fits && uid_fits) {
		memcpy(b->prefix, e->name, at);
		set_text(b->name, sizeof b->name, e->name + at + 1);
	} else {
		if (needs_record(e->name))
			add_text(pax, "path", e->name);
		set_text(b->name, sizeof b->name, e->name);
	}
	if (!size_fits)
		add_number(pax, "size", e->size);
	if (!uid_fits)
		add_number(pax, "uid", e->uid);
}

static bool put_pax(tar_writer *w, const char *name, const GByteArray *pax, GError **error)
{
	struct tar_block b = {.type = 'x'};
	const char *slash = strrchr(name, '/'), *base = slash ? slash + 1 : name;
	g_autofree char *pax_name =
		g_strdup_printf("%.*sPaxHeaders.0%s%s", (int)(base - name), name, *base ? "/" : "", base);
	set_text(b.name, sizeof b.name, pax_name);
	tar_number_write(b.mode, sizeof b.mode, 0);
	tar_number_write(b.uid, sizeof b.uid, 0);
	tar_number_write(b.gid, sizeof b.gid, 0);
	tar_number_write(b.size, sizeof b.size, pax->len);
	tar_number_write(b.mtime, sizeof b.mtime, 0);
	return put_block(w, &b, error) && put(w, pax->data, pax->len, error) &&
	       put_zeros(w, tar_padding(pax->len), error);
}

bool tar_writer_entry(tar_writer *w, const struct tar_entry *e, GError **error)
{
	if (w->left > 0)
		return error_set(error, ERROR_INTERNAL, "%" G_GINT64_FORMAT " bytes are missing before %s", w->left,
				 e->name);
	struct tar_block b = {0};
	g_autoptr(GByteArray) pax = g_byte_array_new();
	block_fill(&b, e, pax);
	if (!put_zeros(w, w->padding, error) || (pax->len > 0 && !put_pax(w, e->name, pax, error)))
		return false;
	w->left = e->size;
	w->padding = tar_padding(e->size);
	return put_block(w, &b, error);
}

bool tar_writer_data(tar_writer *w, const void *bytes, size_t n, GError **error)
{
	if ((int64_t)n > w->left)
		return error_set(error, ERROR_INTERNAL, "more data than the size in the header");
	w->left -= (int64_t)n;
	return put(w, bytes, n, error);
}

bool tar_writer_finish(tar_writer *w, GError **error)
{
	if (w->left > 0)
		return error_set(error, ERROR_INTERNAL, "%" G_GINT64_FORMAT " bytes are missing at the end", w->left);
	return put_zeros(w, w->padding, error) && put_zeros(w, 2 * TAR_BLOCK, error) && flush(w, error);
}
