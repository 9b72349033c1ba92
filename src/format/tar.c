/* SPDX-License-Identifier: Apache-2.0 */
/* Formats: POSIX.1-2001 pax, "ustar Interchange Format" and "pax Extended Header". */
#include "format/tar.h"
#include <string.h>
#include <sys/stat.h>

bool tar_number_write(char *field, size_t size, int64_t value)
{
	bool fits = value >= 0 && value < (int64_t)1 << ((size - 1) * 3);
	guint64 rest = fits ? (guint64)value : 0;
	field[size - 1] = '\0';
	for (size_t i = size - 1; i-- > 0; rest >>= 3)
		field[i] = (char)('0' + (rest & 7));
	return fits;
}

bool tar_number_read(const char *field, size_t size, int64_t *ret)
{
	const uint8_t *p = (const uint8_t *)field;
	if (p[0] & 0x80) {
		uint64_t value = p[0] & 0x40 ? ~UINT64_C(0) : 0;
		for (size_t i = 0; i < size; i++)
			value = value << 8 | (i == 0 && !(p[0] & 0x40) ? p[0] & 0x7f : p[i]);
		*ret = (int64_t)value;
		return true;
	}
	g_autofree char *text = g_strstrip(g_strndup(field, size));
	guint64 value = 0;
	if (*text && !g_ascii_string_to_unsigned(text, 8, 0, INT64_C(077777777777), &value, NULL))
		return false;
	*ret = (int64_t)value;
	return true;
}

unsigned tar_checksum(const struct tar_block *b)
{
	unsigned sum = sizeof b->checksum * ' ';
	for (size_t i = 0; i < TAR_BLOCK; i++)
		sum += ((const uint8_t *)b)[i];
	for (size_t i = 0; i < sizeof b->checksum; i++)
		sum -= (uint8_t)b->checksum[i];
	return sum;
}

void tar_checksum_write(struct tar_block *b)
{
	tar_number_write(b->checksum, sizeof b->checksum - 1, tar_checksum(b));
	b->checksum[sizeof b->checksum - 1] = ' ';
}

bool tar_block_is_zero(const struct tar_block *b)
{
	static const struct tar_block zero;
	return memcmp(b, &zero, sizeof zero) == 0;
}

char tar_type_of(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return '5';
	case S_IFLNK:
		return '2';
	case S_IFCHR:
		return '3';
	case S_IFBLK:
		return '4';
	case S_IFIFO:
		return '6';
	default:
		return '0';
	}
}

int tar_xattr_order(const void *a, const void *b)
{
	return strcmp(((const struct tar_xattr *)a)->name, ((const struct tar_xattr *)b)->name);
}

size_t tar_padding(int64_t size)
{
	return (size_t)(-size & (TAR_BLOCK - 1));
}

void tar_record_write(GByteArray *pax, const char *prefix, const char *key, const void *value, size_t len)
{
	size_t rest = strlen(prefix) + strlen(key) + len + 3, size = rest + 1;
	for (size_t limit = 10; size >= limit; limit *= 10) /* the length includes its own digits */
		size++;
	g_autofree char *head = g_strdup_printf("%zu %s%s=", size, prefix, key);
	g_byte_array_append(pax, (const guint8 *)head, (guint)strlen(head));
	g_byte_array_append(pax, value, (guint)len);
	g_byte_array_append(pax, (const guint8 *)"\n", 1);
}

bool tar_records_read(const void *bytes, size_t n,
		      bool (*visit)(void *data, const char *key, const char *value, size_t len), void *data)
{
	for (const char *p = bytes; n > 0;) {
		size_t digits = 0, len = 0;
		while (digits < n && g_ascii_isdigit(p[digits]) && digits < 10)
			len = len * 10 + (size_t)(p[digits++] - '0');
		if (digits == 0 || digits >= n || p[digits] != ' ' || len > n || len < digits + 3 || p[len - 1] != '\n')
			return false;
		const char *key = p + digits + 1, *equals = memchr(key, '=', len - digits - 2);
		if (!equals)
			return false;
		g_autofree char *name = g_strndup(key, (gsize)(equals - key));
		if (!visit(data, name, equals + 1, (size_t)(p + len - 1 - (equals + 1))))
			return false;
		p += len;
		n -= len;
	}
	return true;
}
