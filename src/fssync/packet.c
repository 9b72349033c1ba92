/* SPDX-License-Identifier: Apache-2.0 */
#include "fssync/packet.h"
#include "api/wire.h"
#include "base/limits.h"
#include <string.h>

/* One field of a protobuf message. */
struct field {
	uint32_t number;
	uint64_t value;     /* varints */
	struct slice bytes; /* WIRE_BYTES */
};

static bool malformed(GError **error)
{
	return error_set(error, ERROR_INVALID_ARGUMENT, "malformed packet in transfer");
}

static bool varint_read(struct slice *s, uint64_t *ret)
{
	const uint8_t *end = s->ptr + s->len;
	enum wire_varint result = wire_read_varint(&s->ptr, end, ret);
	s->len = (size_t)(end - s->ptr);
	return result == WIRE_VARINT_OK || result == WIRE_VARINT_WIDE;
}

static bool bytes_read(struct slice *s, uint64_t n, struct slice *ret)
{
	if (n > s->len)
		return false;
	*ret = (struct slice){s->ptr, (size_t)n};
	s->ptr += n;
	s->len -= (size_t)n;
	return true;
}

static bool field_read(struct slice *s, struct field *ret)
{
	uint64_t tag, n;
	*ret = (struct field){0};
	if (!varint_read(s, &tag) || tag >> 3 == 0 || tag >> 32 != 0)
		return false;
	ret->number = (uint32_t)(tag >> 3);
	switch (tag & 7) {
	case WIRE_VARINT:
		return varint_read(s, &ret->value);
	case WIRE_BYTES:
		return varint_read(s, &n) && bytes_read(s, n, &ret->bytes);
	case WIRE_64:
		return bytes_read(s, 8, &ret->bytes);
	case WIRE_32:
		return bytes_read(s, 4, &ret->bytes);
	default:
		return false;
	}
}

bool packet_decode(const void *bytes, size_t n, struct packet *ret, GError **error)
{
	struct slice s = {bytes, n};
	struct packet p = {0};
	while (s.len > 0) {
		struct field f;
		if (!field_read(&s, &f))
			return malformed(error);
		switch (f.number) {
		case 1:
			p.type = (uint32_t)f.value;
			break;
		case 2:
			p.has_stat = true;
			p.stat = f.bytes;
			break;
		case 3:
			p.id = (uint32_t)f.value;
			break;
		case 4:
			p.data = f.bytes;
			break;
		default:
			break;
		}
	}
	*ret = p;
	return true;
}

static bool string_take(struct slice bytes, char **ret)
{
	if (bytes.len > (size_t)LIMIT_PATH_BYTES || (bytes.len > 0 && memchr(bytes.ptr, 0, bytes.len)))
		return false;
	g_free(*ret);
	*ret = g_strndup((const char *)bytes.ptr, bytes.len);
	return true;
}

/* One entry of map<string, bytes>. */
static bool xattr_take(struct slice entry, struct fssync_stat *stat, size_t *total)
{
	struct slice name = {0}, value = {0};
	while (entry.len > 0) {
		struct field f;
		if (!field_read(&entry, &f))
			return false;
		if (f.number == 1)
			name = f.bytes;
		else if (f.number == 2)
			value = f.bytes;
	}
	*total += name.len + value.len;
	if (name.len == 0 || name.len > 255 || memchr(name.ptr, 0, name.len) ||
	    stat->n_xattrs == (size_t)LIMIT_XATTRS || *total > (size_t)LIMIT_XATTR_BYTES)
		return false;
	stat->xattrs = g_renew(struct fssync_xattr, stat->xattrs, stat->n_xattrs + 1);
	stat->xattrs[stat->n_xattrs++] = (struct fssync_xattr){g_strndup((const char *)name.ptr, name.len),
							       g_memdup2(value.ptr, value.len), value.len};
	return true;
}

static bool stat_field(const struct field *f, struct fssync_stat *stat, size_t *xattr_total)
{
	switch (f->number) {
	case 1:
		return string_take(f->bytes, &stat->path);
	case 2:
		stat->mode = (uint32_t)f->value;
		return true;
	case 3:
		stat->uid = (uint32_t)f->value;
		return true;
	case 4:
		stat->gid = (uint32_t)f->value;
		return true;
	case 5:
		stat->size = (int64_t)f->value;
		return true;
	case 6:
		stat->mtime_ns = (int64_t)f->value;
		return true;
	case 7:
		return string_take(f->bytes, &stat->linkname);
	case 8:
		stat->devmajor = (int64_t)f->value;
		return true;
	case 9:
		stat->devminor = (int64_t)f->value;
		return true;
	case 10:
		return xattr_take(f->bytes, stat, xattr_total);
	default:
		return true;
	}
}

bool stat_decode(struct slice bytes, struct fssync_stat *ret, GError **error)
{
	size_t xattr_total = 0;
	*ret = (struct fssync_stat){0};
	while (bytes.len > 0) {
		struct field f;
		if (!field_read(&bytes, &f) || !stat_field(&f, ret, &xattr_total)) {
			fssync_stat_clear(ret);
			return malformed(error);
		}
	}
	if (!ret->path)
		ret->path = g_strdup("");
	if (!ret->linkname)
		ret->linkname = g_strdup("");
	return true;
}

static size_t number_write(uint8_t *out, uint32_t field, uint64_t value)
{
	if (value == 0)
		return 0;
	size_t n = wire_put_varint(out, (uint64_t)field << 3 | WIRE_VARINT);
	return n + wire_put_varint(out + n, value);
}

size_t packet_head(uint8_t ret_head[PACKET_HEAD_SIZE], enum packet_type type, uint32_t id, size_t n_data)
{
	size_t n = number_write(ret_head, 1, type);
	n += number_write(ret_head + n, 3, id);
	return n_data > 0 ? n + wire_put_head(ret_head + n, 4, n_data) : n;
}

static void append_number(GByteArray *out, uint32_t field, uint64_t value)
{
	uint8_t buf[WIRE_HEAD_BYTES];
	g_byte_array_append(out, buf, (guint)number_write(buf, field, value));
}

static void append_bytes(GByteArray *out, uint32_t field, const void *bytes, size_t n)
{
	uint8_t buf[WIRE_HEAD_BYTES];
	g_byte_array_append(out, buf, (guint)wire_put_head(buf, field, n));
	if (n > 0)
		g_byte_array_append(out, bytes, (guint)n);
}

static size_t field_size(size_t n)
{
	uint8_t head[WIRE_HEAD_BYTES];
	return wire_put_head(head, 1, n) + n;
}

static void append_xattr(GByteArray *out, const struct fssync_xattr *x)
{
	uint8_t buf[WIRE_HEAD_BYTES];
	size_t n_name = strlen(x->name);
	g_byte_array_append(out, buf, (guint)wire_put_head(buf, 10, field_size(n_name) + field_size(x->len)));
	append_bytes(out, 1, x->name, n_name);
	append_bytes(out, 2, x->value, x->len);
}

static void append_stat_fields(GByteArray *out, const struct fssync_stat *stat)
{
	if (*stat->path)
		append_bytes(out, 1, stat->path, strlen(stat->path));
	append_number(out, 2, stat->mode);
	append_number(out, 3, stat->uid);
	append_number(out, 4, stat->gid);
	append_number(out, 5, (uint64_t)stat->size);
	append_number(out, 6, (uint64_t)stat->mtime_ns);
	if (stat->linkname && *stat->linkname)
		append_bytes(out, 7, stat->linkname, strlen(stat->linkname));
	append_number(out, 8, (uint64_t)stat->devmajor);
	append_number(out, 9, (uint64_t)stat->devminor);
	for (size_t i = 0; i < stat->n_xattrs; i++)
		append_xattr(out, &stat->xattrs[i]);
}

void packet_append_stat(GByteArray *out, const struct fssync_stat *stat)
{
	if (!stat)
		return; /* STAT is type 0, and without a stat there is no field: the empty message */
	/* The length is stored first but known last: reserve the maximum, then remove the gap. */
	guint start = out->len;
	g_byte_array_set_size(out, start + 8);
	append_stat_fields(out, stat);
	uint8_t head[WIRE_HEAD_BYTES];
	size_t n = out->len - start - 8, n_head = wire_put_head(head, 2, n);
	memcpy(out->data + start, head, n_head);
	memmove(out->data + start + n_head, out->data + start + 8, n);
	g_byte_array_set_size(out, (guint)(start + n_head + n));
}
