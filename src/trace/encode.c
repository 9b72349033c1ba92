/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/encode.h"
#include "api/wire.h"
#include "base/limits.h"
#include <string.h>

static void encode_tag(GByteArray *out, uint32_t field, enum wire_type type)
{
	uint8_t bytes[WIRE_VARINT_BYTES];
	g_byte_array_append(out, bytes, (guint)wire_put_varint(bytes, (uint64_t)field << 3 | type));
}

void encode_bytes(GByteArray *out, uint32_t field, const void *bytes, size_t n)
{
	uint8_t head[WIRE_HEAD_BYTES];
	g_byte_array_append(out, head, (guint)wire_put_head(head, field, n));
	if (n > 0)
		g_byte_array_append(out, bytes, (guint)n);
}

void encode_text(GByteArray *out, uint32_t field, const char *text)
{
	size_t n = text ? strlen(text) : 0;
	if (n > (size_t)LIMIT_SPAN_TEXT_BYTES)
		for (n = (size_t)LIMIT_SPAN_TEXT_BYTES; n > 0 && ((uint8_t)text[n] & 0xc0) == 0x80;)
			n--;
	if (n == 0)
		return;
	g_autofree char *valid = g_utf8_validate(text, (gssize)n, NULL) ? NULL : g_utf8_make_valid(text, (gssize)n);
	encode_bytes(out, field, valid ? valid : text, valid ? strlen(valid) : n);
}

static void encode_varint(GByteArray *out, uint32_t field, uint64_t value)
{
	uint8_t bytes[WIRE_VARINT_BYTES];
	encode_tag(out, field, WIRE_VARINT);
	g_byte_array_append(out, bytes, (guint)wire_put_varint(bytes, value));
}

void encode_int(GByteArray *out, uint32_t field, int64_t value)
{
	if (value != 0)
		encode_varint(out, field, (uint64_t)value);
}

void encode_fixed64(GByteArray *out, uint32_t field, uint64_t value)
{
	uint64_t little = GUINT64_TO_LE(value);
	encode_tag(out, field, WIRE_64);
	g_byte_array_append(out, (const uint8_t *)&little, sizeof little);
}

void encode_fixed32(GByteArray *out, uint32_t field, uint32_t value)
{
	uint32_t little = GUINT32_TO_LE(value);
	encode_tag(out, field, WIRE_32);
	g_byte_array_append(out, (const uint8_t *)&little, sizeof little);
}

/* ---- KeyValue: 1 key, 2 AnyValue: 1 string, 2 bool, 3 int, 5 ArrayValue: 1 AnyValue */

static void encode_pair(GByteArray *out, uint32_t field, const char *key, const GByteArray *value)
{
	g_autoptr(GByteArray) pair = g_byte_array_sized_new(64);
	encode_text(pair, 1, key);
	encode_bytes(pair, 2, value->data, value->len);
	encode_bytes(out, field, pair->data, pair->len);
}

/* An empty text is a value, too: the field is written in any case. */
static void encode_value(GByteArray *out, const char *text)
{
	guint before = out->len;
	encode_text(out, 1, text);
	if (out->len == before)
		encode_bytes(out, 1, NULL, 0);
}

void encode_pair_text(GByteArray *out, uint32_t field, const char *key, const char *value)
{
	g_autoptr(GByteArray) any = g_byte_array_sized_new(64);
	encode_value(any, value);
	encode_pair(out, field, key, any);
}

void encode_pair_texts(GByteArray *out, uint32_t field, const char *key, const char *const *values)
{
	g_autoptr(GByteArray) array = g_byte_array_new(), any = g_byte_array_new();
	for (const char *const *v = values; *v; v++) {
		g_autoptr(GByteArray) one = g_byte_array_new();
		encode_value(one, *v);
		encode_bytes(array, 1, one->data, one->len);
	}
	encode_bytes(any, 5, array->data, array->len);
	encode_pair(out, field, key, any);
}

void encode_pair_int(GByteArray *out, uint32_t field, const char *key, int64_t value)
{
	g_autoptr(GByteArray) any = g_byte_array_sized_new(16);
	encode_varint(any, 3, (uint64_t)value);
	encode_pair(out, field, key, any);
}

void encode_pair_bool(GByteArray *out, uint32_t field, const char *key, bool value)
{
	g_autoptr(GByteArray) any = g_byte_array_sized_new(16);
	encode_varint(any, 2, value);
	encode_pair(out, field, key, any);
}
