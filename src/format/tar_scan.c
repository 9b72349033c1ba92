/* SPDX-License-Identifier: Apache-2.0 */
#include "format/tar.h"
#include "base/hash_walk.h"
#include "base/limits.h"
#include <string.h>

#define EXTENDED_MAX MIB(1)
#define XATTR_PREFIX "SCHILY.xattr."

/*
 * HEADER collects one block; EXTENDED the body of a PAX or GNU header; CONTENTS and PADDING pass bytes on; END passes
 * everything after the first zero block.
 */
enum state { STATE_HEADER, STATE_EXTENDED, STATE_CONTENTS, STATE_PADDING, STATE_END };

/* Members that extended headers set for the next entry; NULL, -1 or false: not set. */
struct overrides {
	char *name, *link, *user, *group; /* owned */
	int64_t size, uid, gid, mtime_s;
	bool has_mtime, is_sparse;
	GHashTable *xattrs; /* owned */
};

struct tar_scan {
	struct tar_scan_handler handler;
	void *data;
	enum state state;
	struct tar_block header;
	size_t have;      /* bytes of the header received so far */
	GByteArray *body; /* owned: of the extended header */
	int64_t left;     /* rest of the extended body, contents or padding */
	int64_t padding;  /* after contents */
	struct overrides next;
};

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
	return n == 0 || t->handler.frame(t->data, bytes, n, t->state == STATE_END, error);
}

/* body: padded body of an extended header, n_body bytes without padding; or NULL. */
static bool header_pass(tar_scan *t, const void *body, int64_t n_body, GError **error)
{
	if (t->handler.header)
		return t->handler.header(t->data, &t->header, body, (size_t)n_body, error);
	return frame(t, &t->header, TAR_BLOCK, error) && frame(t, body, (size_t)n_body + tar_padding(n_body), error);
}

#define NUMBER(field, ret) tar_number_read(t->header.field, sizeof t->header.field, ret)
#define TEXT(field) g_strndup(t->header.field, sizeof t->header.field)

static char *header_name(const tar_scan *t)
{
	g_autofree char *name = TEXT(name), *prefix = TEXT(prefix);
	if (memcmp(t->header.magic, "ustar", 6) != 0 || !*prefix)
		return g_steal_pointer(&name);
	return g_strconcat(prefix, "/", name, NULL);
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

/* Decimal seconds, optionally with a fraction. */
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

static bool put_record(void *data, const char *key, const char *value, size_t n)
{
	struct overrides *o = data;
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
		if (n == 0) /* the header's value is used, as in Go's reader */
			return true;
		if (rows[i].number)
			return put_number(rows[i].number, value, n);
		put_text(rows[i].text, value, n);
		return true;
	}
	if (g_str_equal(key, "mtime"))
		return n == 0 || put_mtime(o, value, n);
	if (g_str_has_prefix(key, XATTR_PREFIX))
		put_xattr(o, key + strlen(XATTR_PREFIX), value, n);
	o->is_sparse = o->is_sparse || g_str_has_prefix(key, "GNU.sparse.");
	return true;
}

/* The extended header is complete. A global one ('g') is passed on and changes no entry, as in Go's reader. */
static bool extended_finish(tar_scan *t, GError **error)
{
	int64_t size;
	if (!NUMBER(size, &size))
		return invalid(error);
	if (t->header.type == 'x' && !tar_records_read(t->body->data, (size_t)size, put_record, &t->next))
		return invalid(error);
	if (t->header.type == 'L')
		put_text(&t->next.name, (const char *)t->body->data, (size_t)size);
	if (t->header.type == 'K')
		put_text(&t->next.link, (const char *)t->body->data, (size_t)size);
	t->state = STATE_HEADER;
	t->have = 0;
	return header_pass(t, t->body->data, size, error);
}

/* ---- headers */

static bool numbers_read(const tar_scan *t, struct tar_entry *e)
{
	const struct overrides *o = &t->next;
	if (!NUMBER(mode, &e->mode) || !NUMBER(uid, &e->uid) || !NUMBER(gid, &e->gid) || !NUMBER(size, &e->size) ||
	    !NUMBER(mtime, &e->mtime_s))
		return false;
	bool is_device = e->type == '3' || e->type == '4';
	if (is_device && (!NUMBER(device_major, &e->device_major) || !NUMBER(device_minor, &e->device_minor)))
		return false;
	e->size = o->size >= 0 ? o->size : e->size;
	e->uid = o->uid >= 0 ? o->uid : e->uid;
	e->gid = o->gid >= 0 ? o->gid : e->gid;
	e->mtime_s = o->has_mtime ? o->mtime_s : e->mtime_s;
	if (e->type >= '1' && e->type <= '6')
		e->size = 0; /* links, devices and directories have no data */
	return e->size >= 0 && e->size <= INT64_MAX / 2;
}

/* Sorted by name; the table owns the referenced data. */
static GArray *xattrs_sort(GHashTable *table)
{
	GArray *list = g_array_new(FALSE, FALSE, sizeof(struct tar_xattr));
	for (struct hash_walk it = hash_walk(table); hash_walk_next(&it);) {
		struct tar_xattr x = {.name = it.key};
		x.value = g_bytes_get_data(it.value, &x.len);
		g_array_append_val(list, x);
	}
	g_array_sort(list, tar_xattr_order);
	return list;
}

static bool entry_begin(tar_scan *t, GError **error)
{
	struct overrides *o = &t->next;
	g_autofree char *name = o->name ? g_strdup(o->name) : header_name(t);
	g_autofree char *link = o->link ? g_strdup(o->link) : TEXT(link);
	g_autofree char *user = o->user ? g_strdup(o->user) : TEXT(user);
	g_autofree char *group = o->group ? g_strdup(o->group) : TEXT(group);
	g_autoptr(GArray) xattrs = o->xattrs ? xattrs_sort(o->xattrs) : NULL;
	struct tar_entry e = {.name = name, .link = link, .user = user, .group = group};
	e.type = t->header.type;
	e.is_sparse = o->is_sparse;
	if (!e.type)
		e.type = g_str_has_suffix(name, "/") ? '5' : '0';
	if (xattrs) {
		e.xattrs = (const struct tar_xattr *)(const void *)xattrs->data;
		e.n_xattrs = xattrs->len;
	}
	if (e.type == 'S' || !numbers_read(t, &e))
		return invalid(error);
	t->left = e.size;
	t->padding = (int64_t)tar_padding(e.size);
	t->state = t->left > 0 ? STATE_CONTENTS : STATE_HEADER;
	t->have = 0;
	bool ok = header_pass(t, NULL, 0, error) && (!t->handler.entry || t->handler.entry(t->data, &e, error));
	overrides_clear(o);
	return ok;
}

static bool header_finish(tar_scan *t, GError **error)
{
	if (tar_block_is_zero(&t->header)) {
		t->state = STATE_END;
		return frame(t, &t->header, TAR_BLOCK, error);
	}
	if (!t->header.type || !strchr("xgLK", t->header.type))
		return entry_begin(t, error);
	int64_t size;
	if (!NUMBER(size, &size) || size < 0 || size > EXTENDED_MAX)
		return invalid(error);
	g_byte_array_set_size(t->body, 0);
	t->left = size + (int64_t)tar_padding(size);
	t->state = STATE_EXTENDED;
	return t->left > 0 || extended_finish(t, error);
}

/* ---- the stream */

static bool header_take(tar_scan *t, const uint8_t *p, size_t n, GError **error)
{
	memcpy((uint8_t *)&t->header + t->have, p, n);
	t->have += n;
	return t->have < TAR_BLOCK || header_finish(t, error);
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
				 : t->state == STATE_HEADER ? (int64_t)(TAR_BLOCK - t->have)
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
