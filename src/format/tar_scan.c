/* SPDX-License-Identifier: Apache-2.0 */
#include "format/tar_scan.h"
#include "base/limits.h"
#include <string.h>

#define BLOCK 512
#define EXTENDED_MAX MIB(1)
#define XATTR_PREFIX "SCHILY.xattr."

/*
 * HEADER gathers one block; EXTENDED the body of a PAX or GNU header; CONTENTS and PADDING pass on; END passes
 * everything on (after the first zero block).
 */
enum state { STATE_HEADER, STATE_EXTENDED, STATE_CONTENTS, STATE_PADDING, STATE_END };

/* What extended headers say of the next entry instead of its own header; NULL, -1 or false: nothing. */
struct overrides {
	char *name, *link, *user, *group; /* owned */
	int64_t size, uid, gid, mtime_s;
	bool has_mtime;
	GHashTable *xattrs; /* owned */
};

struct tar_scan {
	struct tar_scan_handler handler;
	void *data;
	enum state state;
	uint8_t header[BLOCK];
	size_t have;      /* bytes of header */
	GByteArray *body; /* owned: of the extended header */
	int64_t left;     /* of the extended body, contents or padding */
	int64_t padding;  /* after contents */
	struct overrides next;
};

struct field {
	size_t at, n;
};
static const struct field field_name = {0, 100}, field_mode = {100, 8}, field_uid = {108, 8}, field_gid = {116, 8},
			  field_size = {124, 12}, field_mtime = {136, 12}, field_link = {157, 100},
			  field_user = {265, 32}, field_group = {297, 32}, field_major = {329, 8},
			  field_minor = {337, 8}, field_prefix = {345, 155};
#define AT_TYPE 156
#define AT_MAGIC 257

static void overrides_clear(struct overrides *o)
{
	g_free(o->name);
	g_free(o->link);
	g_free(o->user);
	g_free(o->group);
	g_clear_pointer(&o->xattrs, g_hash_table_unref);
	*o = (struct overrides){.size = -1, .uid = -1, .gid = -1};
}

tar_scan *tar_scan_new(const struct tar_scan_handler *handler, void *data)
{
	tar_scan *t = g_new0(tar_scan, 1);
	t->handler = *handler;
	t->data = data;
	t->body = g_byte_array_new();
	overrides_clear(&t->next);
	return t;
}

void tar_scan_free(tar_scan *t)
{
	if (!t)
		return;
	overrides_clear(&t->next);
	g_byte_array_unref(t->body);
	g_free(t);
}

static bool invalid(GError **error)
{
	return error_set(error, ERROR_INVALID_ARGUMENT, "archive/tar: invalid tar header");
}

static bool frame(tar_scan *t, const void *bytes, size_t n, GError **error)
{
	return n == 0 || t->handler.frame(t->data, bytes, n, error);
}

/* ---- fields */

bool tar_number_read(const uint8_t *field, size_t n, int64_t *ret)
{
	if (field[0] & 0x80) {
		uint64_t value = field[0] & 0x40 ? ~UINT64_C(0) : 0;
		for (size_t i = 0; i < n; i++)
			value = value << 8 | (i == 0 ? (field[0] & 0x40 ? field[0] : field[0] & 0x7f) : field[i]);
		*ret = (int64_t)value;
		return true;
	}
	g_autofree char *text = g_strstrip(g_strndup((const char *)field, n));
	guint64 value = 0;
	if (*text && !g_ascii_string_to_unsigned(text, 8, 0, INT64_C(077777777777), &value, NULL))
		return false;
	*ret = (int64_t)value;
	return true;
}

static bool number(const tar_scan *t, struct field f, int64_t *ret)
{
	return tar_number_read(t->header + f.at, f.n, ret);
}

static char *text(const tar_scan *t, struct field f)
{
	return g_strndup((const char *)t->header + f.at, f.n);
}

static char *header_name(const tar_scan *t)
{
	char *name = text(t, field_name);
	if (memcmp(t->header + AT_MAGIC, "ustar\0", 6) != 0 || !t->header[field_prefix.at])
		return name;
	g_autofree char *rest = name, *prefix = text(t, field_prefix);
	return g_strconcat(prefix, "/", rest, NULL);
}

/* ---- extended headers */

static void put_text(char **at, const char *value, size_t n)
{
	g_free(*at);
	*at = g_strndup(value, n);
}

static bool put_number(int64_t *at, const char *value, size_t n)
{
	g_autofree char *digits = g_strndup(value, n);
	guint64 parsed;
	if (!g_ascii_string_to_unsigned(digits, 10, 0, G_MAXINT64 / 2, &parsed, NULL))
		return false;
	*at = (int64_t)parsed;
	return true;
}

/* Decimal seconds, with a fraction perhaps. */
static bool put_mtime(struct overrides *o, const char *value, size_t n)
{
	g_autofree char *digits = g_strndup(value, n);
	char *end;
	gint64 seconds = g_ascii_strtoll(digits, &end, 10);
	if (end == digits || (*end && *end != '.'))
		return false;
	if (*end == '.' && end[1] >= '5' && seconds > G_MININT64 && seconds < G_MAXINT64)
		seconds += *digits == '-' ? -1 : 1;
	o->mtime_s = seconds;
	o->has_mtime = true;
	return true;
}

static void put_xattr(struct overrides *o, const char *name, const char *value, size_t n)
{
	if (!o->xattrs)
		o->xattrs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_bytes_unref);
	g_hash_table_replace(o->xattrs, g_strdup(name), g_bytes_new(value, n));
}

static bool put_record(struct overrides *o, const char *key, const char *value, size_t n)
{
	const struct {
		const char *key;
		char **text;
		int64_t *number;
	} rows[] = {
		{"path", &o->name, NULL},   {"linkpath", &o->link, NULL}, {"uname", &o->user, NULL},
		{"gname", &o->group, NULL}, {"size", NULL, &o->size},     {"uid", NULL, &o->uid},
		{"gid", NULL, &o->gid},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		if (!g_str_equal(key, rows[i].key))
			continue;
		if (rows[i].number)
			return put_number(rows[i].number, value, n);
		put_text(rows[i].text, value, n);
		return true;
	}
	if (g_str_equal(key, "mtime"))
		return put_mtime(o, value, n);
	if (g_str_has_prefix(key, XATTR_PREFIX))
		put_xattr(o, key + strlen(XATTR_PREFIX), value, n);
	return !g_str_has_prefix(key, "GNU.sparse.");
}

/* One record "<length> <key>=<value>\n" at p; its length, or 0 when it is none. */
static size_t record_read(struct overrides *o, const char *p, size_t n)
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
	return put_record(o, name, equals + 1, (size_t)(p + len - 1 - (equals + 1))) ? len : 0;
}

static bool records_read(tar_scan *t, int64_t size)
{
	const char *p = (const char *)t->body->data;
	for (size_t left = (size_t)size; left > 0;) {
		size_t n = record_read(&t->next, p, left);
		if (n == 0)
			return false;
		p += n;
		left -= n;
	}
	return true;
}

/* The extended header is whole. What a global one says is passed on and left alone, as Go's reader has it. */
static bool extended_finish(tar_scan *t, GError **error)
{
	int64_t size;
	if (!number(t, field_size, &size))
		return invalid(error);
	char type = (char)t->header[AT_TYPE];
	if (type == 'x' && !records_read(t, size))
		return invalid(error);
	if (type == 'L')
		put_text(&t->next.name, (const char *)t->body->data, (size_t)size);
	if (type == 'K')
		put_text(&t->next.link, (const char *)t->body->data, (size_t)size);
	t->state = STATE_HEADER;
	t->have = 0;
	return frame(t, t->body->data, t->body->len, error);
}

static bool extended_begin(tar_scan *t, int64_t size, GError **error)
{
	if (size > EXTENDED_MAX)
		return invalid(error);
	g_byte_array_set_size(t->body, 0);
	t->left = (size + BLOCK - 1) / BLOCK * BLOCK;
	t->state = STATE_EXTENDED;
	return frame(t, t->header, BLOCK, error) && (t->left > 0 || extended_finish(t, error));
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
static bool is_header_only(char type)
{
	return type >= '1' && type <= '6';
}

static char entry_type(const tar_scan *t, const char *name)
{
	char type = (char)t->header[AT_TYPE];
	if (type)
		return type;
	return g_str_has_suffix(name, "/") ? '5' : '0';
}

static bool numbers_read(const tar_scan *t, struct tar_entry *e)
{
	const struct overrides *o = &t->next;
	if (!number(t, field_mode, &e->mode) || !number(t, field_uid, &e->uid) || !number(t, field_gid, &e->gid) ||
	    !number(t, field_size, &e->size) || !number(t, field_mtime, &e->mtime_s))
		return false;
	bool is_device = e->type == '3' || e->type == '4';
	if (is_device && (!number(t, field_major, &e->device_major) || !number(t, field_minor, &e->device_minor)))
		return false;
	e->size = o->size >= 0 ? o->size : e->size;
	e->uid = o->uid >= 0 ? o->uid : e->uid;
	e->gid = o->gid >= 0 ? o->gid : e->gid;
	e->mtime_s = o->has_mtime ? o->mtime_s : e->mtime_s;
	if (is_header_only(e->type))
		e->size = 0;
	return e->size >= 0 && e->size <= INT64_MAX / 2;
}

static bool entry_begin(tar_scan *t, GError **error)
{
	struct overrides *o = &t->next;
	g_autofree char *name = o->name ? g_strdup(o->name) : header_name(t);
	g_autofree char *link = o->link ? g_strdup(o->link) : text(t, field_link);
	g_autofree char *user = o->user ? g_strdup(o->user) : text(t, field_user);
	g_autofree char *group = o->group ? g_strdup(o->group) : text(t, field_group);
	struct tar_entry e = {.name = name, .link = link, .user = user, .group = group, .xattrs = o->xattrs};
	e.type = entry_type(t, name);
	if (e.type == 'S' || !numbers_read(t, &e))
		return invalid(error);
	t->left = e.size;
	t->padding = -e.size & (BLOCK - 1);
	t->state = t->left > 0 ? STATE_CONTENTS : STATE_HEADER;
	t->have = 0;
	bool ok = frame(t, t->header, BLOCK, error) && t->handler.entry(t->data, &e, error);
	overrides_clear(o);
	return ok;
}

static bool header_finish(tar_scan *t, GError **error)
{
	if (is_zero(t->header)) {
		t->state = STATE_END;
		return frame(t, t->header, BLOCK, error);
	}
	char type = (char)t->header[AT_TYPE];
	if (!strchr("xgLK", type) || !type)
		return entry_begin(t, error);
	int64_t size;
	if (!number(t, field_size, &size) || size < 0)
		return invalid(error);
	return extended_begin(t, size, error);
}

/* ---- the stream */

static bool header_take(tar_scan *t, const uint8_t *p, size_t n, GError **error)
{
	memcpy(t->header + t->have, p, n);
	t->have += n;
	return t->have < BLOCK || header_finish(t, error);
}

static bool extended_take(tar_scan *t, const uint8_t *p, size_t n, GError **error)
{
	g_byte_array_append(t->body, p, (guint)n);
	t->left -= (int64_t)n;
	return t->left > 0 || extended_finish(t, error);
}

static bool contents_take(tar_scan *t, const uint8_t *p, size_t n, GError **error)
{
	t->left -= (int64_t)n;
	if (t->left == 0) {
		t->left = t->padding;
		t->state = t->left > 0 ? STATE_PADDING : STATE_HEADER;
	}
	return t->handler.contents(t->data, p, n, error);
}

static bool padding_take(tar_scan *t, const uint8_t *p, size_t n, GError **error)
{
	t->left -= (int64_t)n;
	if (t->left == 0)
		t->state = STATE_HEADER;
	return frame(t, p, n, error);
}

static bool end_take(tar_scan *t, const uint8_t *p, size_t n, GError **error)
{
	return frame(t, p, n, error);
}

bool tar_scan_write(tar_scan *t, const void *bytes, size_t n, GError **error)
{
	static bool (*const take[])(tar_scan *, const uint8_t *, size_t, GError **) = {
		[STATE_HEADER] = header_take,   [STATE_EXTENDED] = extended_take, [STATE_CONTENTS] = contents_take,
		[STATE_PADDING] = padding_take, [STATE_END] = end_take,
	};
	const uint8_t *p = bytes;
	while (n > 0) {
		int64_t wanted = t->state == STATE_END      ? INT64_MAX
				 : t->state == STATE_HEADER ? (int64_t)(BLOCK - t->have)
							    : t->left;
		size_t some = (size_t)MIN((int64_t)n, wanted);
		if (!take[t->state](t, p, some, error))
			return false;
		p += some;
		n -= some;
	}
	return true;
}

bool tar_scan_finish(tar_scan *t, GError **error)
{
	bool whole = t->state == STATE_END || (t->state == STATE_HEADER && t->have == 0);
	return whole || error_set(error, ERROR_INVALID_ARGUMENT, "unexpected EOF in tar stream");
}
