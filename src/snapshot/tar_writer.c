/* SPDX-License-Identifier: Apache-2.0 */
/* Formats: POSIX.1-2001 pax, "ustar Interchange Format" and "pax Extended Header". */
#include "snapshot/tar_writer.h"
#include <string.h>

enum { BLOCK = 512, BUFFER_BYTES = 128 * 1024, NAME_SIZE = 100, PREFIX_SIZE = 155 };

struct tar_block {
	char name[NAME_SIZE], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[NAME_SIZE];
	char magic[6], version[2], user[32], group[32], device_major[8], device_minor[8], prefix[PREFIX_SIZE], rest[12];
};
G_STATIC_ASSERT(sizeof(struct tar_block) == BLOCK);

struct tar_writer {
	bytes_sink_fn sink;
	void *sink_data;
	uint8_t *buffer; /* owned */
	size_t n;
	int64_t left; /* data bytes the entry at hand still wants */
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
	static const uint8_t zeros[2 * BLOCK];
	return put(w, zeros, n, error);
}

static size_t padding_of(int64_t size)
{
	return (size_t)(-size & (BLOCK - 1));
}

/* ---- fields */

static bool fits_octal(size_t width, int64_t value)
{
	return value >= 0 && value < (int64_t)1 << ((width - 1) * 3);
}

/* Zero-padded with a NUL; what does not fit is 0 here and said in a PAX record. */
static void set_octal(char *field, size_t width, int64_t value)
{
	guint64 rest = fits_octal(width, value) ? (guint64)value : 0;
	field[width - 1] = '\0';
	for (size_t i = width - 1; i-- > 0; rest >>= 3)
		field[i] = (char)('0' + (rest & 7));
}

static bool is_ascii(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text >= 0x80)
			return false;
	return true;
}

/* As much as fits of the ASCII in it: readers that know PAX do not look here. */
static void set_text(char *field, size_t width, const char *text)
{
	g_autofree char *ascii = g_malloc(strlen(text) + 1);
	size_t n = 0;
	for (; *text; text++)
		if ((unsigned char)*text < 0x80)
			ascii[n++] = *text;
	memset(field, 0, width);
	memcpy(field, ascii, MIN(n, width));
	if (n > width && field[width - 1] == '/') { /* some readers take it for a directory */
		size_t keep = width - 1;
		while (keep > 0 && field[keep - 1] == '/')
			keep--;
		field[keep] = '\0';
	}
}

/* Where a long ASCII name can be cut into prefix and name, or 0. */
static size_t split_at(const char *name)
{
	size_t len = strlen(name), max = len;
	if (len <= NAME_SIZE || !is_ascii(name))
		return 0;
	if (len > PREFIX_SIZE + 1)
		max = PREFIX_SIZE + 1;
	else if (name[len - 1] == '/')
		max = len - 1;
	for (size_t i = max; i-- > 1;)
		if (name[i] == '/') {
			size_t rest = len - i - 1;
			return rest > 0 && rest <= NAME_SIZE && i <= PREFIX_SIZE ? i : 0;
		}
	return 0;
}

static void set_checksum(struct tar_block *b)
{
	unsigned sum = 0;
	memset(b->checksum, ' ', sizeof b->checksum);
	for (size_t i = 0; i < BLOCK; i++)
		sum += ((const uint8_t *)b)[i];
	set_octal(b->checksum, 7, sum);
	b->checksum[7] = ' ';
}

static bool put_block(tar_writer *w, struct tar_block *b, GError **error)
{
	memcpy(b->magic, "ustar", 6);
	memcpy(b->version, "00", 2);
	set_checksum(b);
	return put(w, b, sizeof *b, error);
}

/* ---- PAX */

static size_t n_digits(size_t n)
{
	size_t digits = 1;
	for (; n >= 10; n /= 10)
		digits++;
	return digits;
}

/* "<length> <key>=<value>\n", where the length counts itself. */
static void add_record(GByteArray *pax, const char *prefix, const char *key, const void *value, size_t len)
{
	size_t bare = strlen(prefix) + strlen(key) + len + 3;
	size_t size = bare + n_digits(bare);
	size = bare + n_digits(size);
	g_autofree char *head = g_strdup_printf("%zu %s%s=", size, prefix, key);
	g_byte_array_append(pax, (const guint8 *)head, (guint)strlen(head));
	g_byte_array_append(pax, value, (guint)len);
	g_byte_array_append(pax, (const guint8 *)"\n", 1);
}

static void add_number(GByteArray *pax, const char *key, int64_t value)
{
	char text[32];
	g_snprintf(text, sizeof text, "%" G_GINT64_FORMAT, value);
	add_record(pax, "", key, text, strlen(text));
}

static bool needs_record(const char *text, size_t width)
{
	return strlen(text) > width || !is_ascii(text);
}

/* Sorted by key. NULL: the plain header says it all. */
static GByteArray *pax_of(const struct tar_header *h)
{
	GByteArray *pax = g_byte_array_new();
	for (size_t i = 0; i < h->n_xattrs; i++)
		add_record(pax, "SCHILY.xattr.", h->xattrs[i].name, h->xattrs[i].value, h->xattrs[i].len);
	if (!fits_octal(8, h->gid))
		add_number(pax, "gid", h->gid);
	if (h->link && needs_record(h->link, NAME_SIZE))
		add_record(pax, "", "linkpath", h->link, strlen(h->link));
	if (!fits_octal(12, h->mtime_s))
		add_number(pax, "mtime", h->mtime_s);
	bool split = split_at(h->name) > 0;
	bool other = pax->len > 0 || !fits_octal(8, h->uid) || !fits_octal(12, h->size);
	if (needs_record(h->name, NAME_SIZE) && (!split || other))
		add_record(pax, "", "path", h->name, strlen(h->name));
	if (!fits_octal(12, h->size))
		add_number(pax, "size", h->size);
	if (!fits_octal(8, h->uid))
		add_number(pax, "uid", h->uid);
	if (pax->len > 0)
		return pax;
	g_byte_array_unref(pax);
	return NULL;
}

/* "dir/PaxHeaders.0/file" */
static char *pax_name(const char *name)
{
	const char *slash = strrchr(name, '/');
	size_t dir = slash ? (size_t)(slash - name) : 0;
	GString *out = g_string_new_len(name, (gssize)dir);
	if (dir > 0)
		g_string_append_c(out, '/');
	g_string_append(out, "PaxHeaders.0");
	if (slash ? slash[1] : name[0])
		g_string_append_printf(out, "/%s", slash ? slash + 1 : name);
	return g_string_free(out, FALSE);
}

static bool put_pax(tar_writer *w, const char *name, const GByteArray *pax, GError **error)
{
	struct tar_block b = {.type = 'x'};
	g_autofree char *record_name = pax_name(name);
	set_text(b.name, sizeof b.name, record_name);
	set_octal(b.mode, sizeof b.mode, 0);
	set_octal(b.uid, sizeof b.uid, 0);
	set_octal(b.gid, sizeof b.gid, 0);
	set_octal(b.size, sizeof b.size, pax->len);
	set_octal(b.mtime, sizeof b.mtime, 0);
	return put_block(w, &b, error) && put(w, pax->data, pax->len, error) &&
	       put_zeros(w, padding_of(pax->len), error);
}

/* ---- entries */

static void set_name(struct tar_block *b, const char *name, bool has_pax)
{
	size_t at = has_pax ? 0 : split_at(name);
	set_text(b->name, sizeof b->name, at > 0 ? name + at + 1 : name);
	if (at > 0)
		memcpy(b->prefix, name, at);
}

bool tar_writer_header(tar_writer *w, const struct tar_header *h, GError **error)
{
	if (w->left > 0)
		return error_set(error, ERROR_INTERNAL, "%" G_GINT64_FORMAT " bytes are missing before %s", w->left,
				 h->name);
	if (w->padding > 0 && !put_zeros(w, w->padding, error))
		return false;
	g_autoptr(GByteArray) pax = pax_of(h);
	if (pax && !put_pax(w, h->name, pax, error))
		return false;
	struct tar_block b = {.type = h->type};
	set_name(&b, h->name, pax != NULL);
	set_octal(b.mode, sizeof b.mode, h->mode);
	set_octal(b.uid, sizeof b.uid, h->uid);
	set_octal(b.gid, sizeof b.gid, h->gid);
	set_octal(b.size, sizeof b.size, h->size);
	set_octal(b.mtime, sizeof b.mtime, h->mtime_s);
	if (h->link)
		set_text(b.link, sizeof b.link, h->link);
	set_octal(b.device_major, sizeof b.device_major, h->device_major);
	set_octal(b.device_minor, sizeof b.device_minor, h->device_minor);
	w->left = h->size;
	w->padding = padding_of(h->size);
	return put_block(w, &b, error);
}

bool tar_writer_data(tar_writer *w, const void *bytes, size_t n, GError **error)
{
	if ((int64_t)n > w->left)
		return error_set(error, ERROR_INTERNAL, "more data than the header says");
	w->left -= (int64_t)n;
	return put(w, bytes, n, error);
}

bool tar_writer_finish(tar_writer *w, GError **error)
{
	if (w->left > 0)
		return error_set(error, ERROR_INTERNAL, "%" G_GINT64_FORMAT " bytes are missing at the end", w->left);
	return put_zeros(w, w->padding, error) && put_zeros(w, 2 * BLOCK, error) && flush(w, error);
}
