/* SPDX-License-Identifier: Apache-2.0 */
#include "export/tar_clamp.h"
#include "base/limits.h"
#include "format/tar_scan.h"
#include <string.h>

#define BLOCK 512
#define PAX_MAX MIB(1)
#define AT_MTIME 136
#define AT_SIZE 124
#define AT_CHECKSUM 148
#define AT_TYPE 156
#define AT_MAGIC 257
#define AT_DEVICE 329
#define NUMBER_BYTES 12
#define NAME_BYTES 8
#define OCTAL_MAX INT64_C(077777777777)

/*
 * HEADER gathers one block; PAX gathers the body of an extended header after it; DATA passes contents and padding on.
 * ZERO gathers the block after the first zero block, which must be zero too; END drops everything that follows, as Go's
 * archive/tar does.
 */
enum state { STATE_HEADER, STATE_PAX, STATE_DATA, STATE_ZERO, STATE_END };

struct tar_clamp {
	int64_t epoch_s;
	bytes_sink_fn sink;
	void *data;
	enum state state;
	uint8_t header[BLOCK];
	size_t have;      /* bytes of header */
	GByteArray *pax;  /* body so far */
	int64_t left;     /* of body with padding, or of data */
	int64_t body;     /* of the extended header, without padding */
	int64_t pax_size; /* -1: no size record for the next entry */
};

tar_clamp *tar_clamp_new(int64_t epoch_s, bytes_sink_fn sink, void *data)
{
	tar_clamp *t = g_new0(tar_clamp, 1);
	t->epoch_s = epoch_s;
	t->sink = sink;
	t->data = data;
	t->pax = g_byte_array_new();
	t->pax_size = -1;
	return t;
}

void tar_clamp_free(tar_clamp *t)
{
	if (!t)
		return;
	g_byte_array_unref(t->pax);
	g_free(t);
}

static bool invalid(GError **error)
{
	return error_set(error, ERROR_INVALID_ARGUMENT, "archive/tar: invalid tar header");
}

/* ---- numbers */

static void checksum_write(uint8_t *header)
{
	memset(header + AT_CHECKSUM, ' ', NAME_BYTES);
	unsigned sum = 0;
	for (size_t i = 0; i < BLOCK; i++)
		sum += header[i];
	g_snprintf((char *)header + AT_CHECKSUM, NAME_BYTES - 1, "%06o", sum);
}

/* Go's archive/tar writes the device numbers of all entries; other programs leave those of files empty. */
static bool fill_device_numbers(tar_clamp *t)
{
	static const uint8_t empty[2 * NAME_BYTES], zero[] = "0000000\0"
							     "0000000";
	uint8_t *field = t->header + AT_DEVICE;
	if (memcmp(t->header + AT_MAGIC, "ustar", 5) != 0 || memcmp(field, empty, sizeof empty) != 0)
		return false;
	memcpy(field, zero, sizeof empty);
	return true;
}

static bool header_clamp(tar_clamp *t, GError **error)
{
	int64_t mtime;
	if (!tar_number_read(t->header + AT_MTIME, NUMBER_BYTES, &mtime))
		return invalid(error);
	bool is_late = mtime > t->epoch_s;
	if (is_late)
		g_snprintf((char *)t->header + AT_MTIME, NUMBER_BYTES, "%011" G_GINT64_MODIFIER "o",
			   CLAMP(t->epoch_s, 0, OCTAL_MAX));
	if (fill_device_numbers(t) || is_late)
		checksum_write(t->header);
	return true;
}

/* ---- PAX records: "<length> <key>=<value>\n" */

static void record_append(GString *out, const char *key, const char *value, size_t n_value)
{
	size_t n = strlen(key) + n_value + 3, total = n;
	for (;;) {
		char digits[24];
		size_t with = n + (size_t)g_snprintf(digits, sizeof digits, "%zu", total);
		if (with == total)
			break;
		total = with;
	}
	g_string_append_printf(out, "%zu %s=", total, key);
	g_string_append_len(out, value, (gssize)n_value);
	g_string_append_c(out, '\n');
}

/* Is a time of decimal seconds, with a fraction perhaps, after the epoch? */
static bool is_late(const tar_clamp *t, const char *value, size_t n)
{
	g_autofree char *text = g_strndup(value, n);
	char *end;
	gint64 seconds = g_ascii_strtoll(text, &end, 10);
	bool fraction = *end == '.' && strspn(end + 1, "0") < strlen(end + 1);
	return seconds > t->epoch_s || (seconds == t->epoch_s && fraction && *text != '-');
}

static void record_copy(tar_clamp *t, GString *out, const char *key, const char *value, size_t n)
{
	bool is_time = g_str_equal(key, "mtime") || g_str_equal(key, "atime") || g_str_equal(key, "ctime");
	if (!is_time || !is_late(t, value, n)) {
		record_append(out, key, value, n);
		return;
	}
	if (g_str_equal(key, "mtime")) /* the header says it in full seconds */
		return;
	g_autofree char *epoch = g_strdup_printf("%" G_GINT64_FORMAT, t->epoch_s);
	record_append(out, key, epoch, strlen(epoch));
}

/* One record at p; its length, or 0 when it is none. */
static size_t record_read(tar_clamp *t, const char *p, size_t n, GString *out)
{
	size_t digits = 0, len = 0;
	while (digits < n && g_ascii_isdigit(p[digits]) && digits < 10)
		len = len * 10 + (size_t)(p[digits++] - '0');
	if (digits == 0 || digits >= n || p[digits] != ' ' || len > n || len < digits + 3 || p[len - 1] != '\n')
		return 0;
	const char *key = p + digits + 1, *equals = memchr(key, '=', len - digits - 2);
	if (!equals)
		return 0;
	g_autofree char *name = g_strndup(key, (gsize)(equals - key));
	size_t n_value = (size_t)(p + len - 1 - (equals + 1));
	if (g_str_equal(name, "size")) {
		g_autofree char *text = g_strndup(equals + 1, n_value);
		guint64 size;
		if (!g_ascii_string_to_unsigned(text, 10, 0, G_MAXINT64 / 2, &size, NULL))
			return 0;
		t->pax_size = (int64_t)size;
	}
	record_copy(t, out, name, equals + 1, n_value);
	return len;
}

static bool pass(tar_clamp *t, const void *bytes, size_t n, GError **error)
{
	return n == 0 || t->sink(t->data, bytes, n, error);
}

static bool pass_padding(tar_clamp *t, size_t n, GError **error)
{
	static const char zeros[BLOCK];
	return pass(t, zeros, -n & (BLOCK - 1), error);
}

/* The extended header as a whole is here: rewritten, or left out when nothing remains of it. */
static bool pax_finish(tar_clamp *t, GError **error)
{
	bool is_global = t->header[AT_TYPE] == 'g';
	g_autoptr(GString) out = g_string_new(NULL);
	const char *p = (const char *)t->pax->data;
	for (size_t left = (size_t)t->body; left > 0;) {
		size_t n = record_read(t, p, left, out);
		if (n == 0)
			return invalid(error);
		p += n;
		left -= n;
	}
	if (is_global)
		t->pax_size = -1;
	g_byte_array_set_size(t->pax, 0);
	t->state = STATE_HEADER;
	t->have = 0;
	if (out->len == 0)
		return true;
	g_snprintf((char *)t->header + AT_SIZE, NUMBER_BYTES, "%011zo", out->len);
	checksum_write(t->header);
	return header_clamp(t, error) && pass(t, t->header, BLOCK, error) && pass(t, out->str, out->len, error) &&
	       pass_padding(t, out->len, error);
}

/* ---- headers */

static bool is_zero(const uint8_t *block)
{
	for (size_t i = 0; i < BLOCK; i++)
		if (block[i])
			return false;
	return true;
}

/* Links, devices and directories have no data, whatever their size says. */
static bool is_header_only(uint8_t type)
{
	return type >= '1' && type <= '6';
}

static bool header_finish(tar_clamp *t, GError **error)
{
	if (is_zero(t->header)) {
		t->state = STATE_ZERO;
		t->have = 0;
		return true;
	}
	int64_t size;
	uint8_t type = t->header[AT_TYPE];
	if (!tar_number_read(t->header + AT_SIZE, NUMBER_BYTES, &size) || size < 0 || size > INT64_MAX / 2 ||
	    type == 'S')
		return invalid(error);
	if (type == 'x' || type == 'g') {
		if (size > PAX_MAX)
			return invalid(error);
		t->body = size;
		t->left = (size + BLOCK - 1) / BLOCK * BLOCK;
		t->state = STATE_PAX;
		return t->left > 0 || pax_finish(t, error);
	}
	if (type != 'L' && type != 'K') {
		size = t->pax_size >= 0 ? t->pax_size : size;
		t->pax_size = -1;
	}
	t->left = is_header_only(type) ? 0 : (size + BLOCK - 1) / BLOCK * BLOCK;
	t->state = t->left > 0 ? STATE_DATA : STATE_HEADER;
	t->have = 0;
	return header_clamp(t, error) && pass(t, t->header, BLOCK, error);
}

bool tar_clamp_write(tar_clamp *t, const void *bytes, size_t n, GError **error)
{
	const uint8_t *p = bytes;
	while (n > 0) {
		size_t take = n;
		switch (t->state) {
		case STATE_HEADER:
			take = MIN(n, BLOCK - t->have);
			memcpy(t->header + t->have, p, take);
			t->have += take;
			if (t->have == BLOCK && !header_finish(t, error))
				return false;
			break;
		case STATE_PAX:
			take = (size_t)MIN((int64_t)n, t->left);
			g_byte_array_append(t->pax, p, (guint)take);
			t->left -= (int64_t)take;
			if (t->left == 0 && !pax_finish(t, error))
				return false;
			break;
		case STATE_DATA:
			take = (size_t)MIN((int64_t)n, t->left);
			if (!pass(t, p, take, error))
				return false;
			t->left -= (int64_t)take;
			if (t->left == 0)
				t->state = STATE_HEADER;
			break;
		case STATE_ZERO:
			take = MIN(n, BLOCK - t->have);
			memcpy(t->header + t->have, p, take);
			t->have += take;
			if (t->have < BLOCK)
				break;
			if (!is_zero(t->header))
				return invalid(error);
			t->state = STATE_END;
			break;
		case STATE_END:
			break;
		}
		p += take;
		n -= take;
	}
	return true;
}

bool tar_clamp_finish(tar_clamp *t, GError **error)
{
	static const char end[2 * BLOCK];
	bool whole = t->state == STATE_END || (t->state != STATE_PAX && t->state != STATE_DATA && t->have == 0);
	if (!whole)
		return error_set(error, ERROR_INVALID_ARGUMENT, "unexpected EOF in tar stream");
	return pass(t, end, sizeof end, error);
}
