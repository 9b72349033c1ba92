/* SPDX-License-Identifier: Apache-2.0 */
#include "export/tar_clamp.h"
#include "format/tar.h"
#include <string.h>

struct tar_clamp {
	int64_t epoch_s;
	bytes_sink_fn sink;
	void *data;
	tar_scan *scan;  /* owned */
	int64_t n_end;   /* bytes after the first zero block */
	GByteArray *pax; /* owned; content of the current extended header */
};

static bool invalid(GError **error)
{
	return error_set(error, ERROR_INVALID_ARGUMENT, "archive/tar: invalid tar header");
}

static bool pass(tar_clamp *t, const void *bytes, size_t n, GError **error)
{
	return n == 0 || t->sink(t->data, bytes, n, error);
}

static bool pass_zeros(tar_clamp *t, size_t n, GError **error)
{
	static const char zeros[2 * TAR_BLOCK];
	return pass(t, zeros, n, error);
}

/* Reports whether a decimal time in seconds, with an optional fraction, is after the epoch. */
static bool is_late(const tar_clamp *t, const char *value, size_t n)
{
	g_autofree char *text = g_strndup(value, n);
	char *end;
	gint64 seconds = g_ascii_strtoll(text, &end, 10);
	bool fraction = *end == '.' && strspn(end + 1, "0") < strlen(end + 1);
	return seconds > t->epoch_s || (seconds == t->epoch_s && fraction && *text != '-');
}

static bool record_clamp(void *data, const char *key, const char *value, size_t n)
{
	tar_clamp *t = data;
	bool is_mtime = g_str_equal(key, "mtime");
	bool is_birth = g_str_equal(key, "LIBARCHIVE.creationtime"); /* of layers of Windows images */
	bool is_time = is_mtime || is_birth || g_str_equal(key, "atime") || g_str_equal(key, "ctime");
	if (!is_time || !is_late(t, value, n)) {
		tar_record_write(t->pax, "", key, value, n);
	} else if (!is_mtime) { /* the header stores mtime in seconds */
		g_autofree char *epoch = g_strdup_printf("%" G_GINT64_FORMAT "%s", t->epoch_s, is_birth ? ".0" : "");
		tar_record_write(t->pax, "", key, epoch, strlen(epoch));
	}
	return true;
}

/*
 * Lowers mtime; fills the device numbers, which Go's archive/tar writes for all entries (not for extended headers) and
 * other programs do not.
 */
static bool block_clamp(tar_clamp *t, struct tar_block *b, GError **error)
{
	static const char empty[sizeof b->device_major + sizeof b->device_minor];
	int64_t mtime;
	if (!tar_number_read(b->mtime, sizeof b->mtime, &mtime))
		return invalid(error);
	bool is_unnumbered = !memchr("xgLK", b->type, 4) && memcmp(b->magic, "ustar", 5) == 0 &&
			     memcmp(b->device_major, empty, sizeof empty) == 0;
	if (is_unnumbered) {
		tar_number_write(b->device_major, sizeof b->device_major, 0);
		tar_number_write(b->device_minor, sizeof b->device_minor, 0);
	}
	if (mtime > t->epoch_s)
		tar_number_write(b->mtime, sizeof b->mtime, CLAMP(t->epoch_s, 0, INT64_C(077777777777)));
	if (is_unnumbered || mtime > t->epoch_s)
		tar_checksum_write(b);
	return pass(t, b, sizeof *b, error);
}

/* Extended headers with records are rewritten, or left out when no record remains. */
static bool on_header(void *data, struct tar_block *b, const void *body, size_t n_body, GError **error)
{
	tar_clamp *t = data;
	if (b->type != 'x' && b->type != 'g')
		return block_clamp(t, b, error) && pass(t, body, n_body + tar_padding((int64_t)n_body), error);
	g_byte_array_set_size(t->pax, 0);
	if (!tar_records_read(body, n_body, record_clamp, t))
		return invalid(error);
	if (t->pax->len == 0)
		return true;
	tar_number_write(b->size, sizeof b->size, t->pax->len);
	tar_checksum_write(b);
	return block_clamp(t, b, error) && pass(t, t->pax->data, t->pax->len, error) &&
	       pass_zeros(t, tar_padding(t->pax->len), error);
}

/* The block after the first zero block must be zero too; what follows is dropped, as Go's archive/tar does. */
static bool on_frame(void *data, const void *bytes, size_t n, bool is_end, GError **error)
{
	tar_clamp *t = data;
	if (!is_end)
		return pass(t, bytes, n, error);
	for (size_t i = 0; i < n && t->n_end + (int64_t)i < 2 * TAR_BLOCK; i++)
		if (((const char *)bytes)[i])
			return invalid(error);
	t->n_end += (int64_t)n;
	return true;
}

static bool on_contents(void *data, const void *bytes, size_t n, GError **error)
{
	return pass(data, bytes, n, error);
}

tar_clamp *tar_clamp_new(int64_t epoch_s, bytes_sink_fn sink, void *data)
{
	static const struct tar_scan_handler handler = {
		.header = on_header, .frame = on_frame, .contents = on_contents};
	tar_clamp *t = g_new0(tar_clamp, 1);
	t->epoch_s = epoch_s;
	t->sink = sink;
	t->data = data;
	t->scan = tar_scan_new(&handler, t);
	t->pax = g_byte_array_new();
	return t;
}

void tar_clamp_free(tar_clamp *t)
{
	if (!t)
		return;
	tar_scan_free(t->scan);
	g_byte_array_unref(t->pax);
	g_free(t);
}

bool tar_clamp_write(tar_clamp *t, const void *bytes, size_t n, GError **error)
{
	return tar_scan_write(t->scan, bytes, n, error);
}

bool tar_clamp_finish(tar_clamp *t, GError **error)
{
	if (t->n_end > TAR_BLOCK && t->n_end < 2 * TAR_BLOCK)
		return error_set(error, ERROR_INVALID_ARGUMENT, "unexpected EOF in tar stream");
	return tar_scan_finish(t->scan, error) && pass_zeros(t, 2 * TAR_BLOCK, error);
}
