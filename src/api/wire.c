/* SPDX-License-Identifier: Apache-2.0 */
#include "api/wire.h"

static const struct {
	enum wire_type wire;
	size_t size;
} types[] = {
	[PROTOBUF_C_TYPE_INT32] = {WIRE_VARINT, sizeof(int32_t)},
	[PROTOBUF_C_TYPE_SINT32] = {WIRE_VARINT, sizeof(int32_t)},
	[PROTOBUF_C_TYPE_SFIXED32] = {WIRE_32, sizeof(int32_t)},
	[PROTOBUF_C_TYPE_INT64] = {WIRE_VARINT, sizeof(int64_t)},
	[PROTOBUF_C_TYPE_SINT64] = {WIRE_VARINT, sizeof(int64_t)},
	[PROTOBUF_C_TYPE_SFIXED64] = {WIRE_64, sizeof(int64_t)},
	[PROTOBUF_C_TYPE_UINT32] = {WIRE_VARINT, sizeof(uint32_t)},
	[PROTOBUF_C_TYPE_FIXED32] = {WIRE_32, sizeof(uint32_t)},
	[PROTOBUF_C_TYPE_UINT64] = {WIRE_VARINT, sizeof(uint64_t)},
	[PROTOBUF_C_TYPE_FIXED64] = {WIRE_64, sizeof(uint64_t)},
	[PROTOBUF_C_TYPE_FLOAT] = {WIRE_32, sizeof(float)},
	[PROTOBUF_C_TYPE_DOUBLE] = {WIRE_64, sizeof(double)},
	[PROTOBUF_C_TYPE_BOOL] = {WIRE_VARINT, sizeof(protobuf_c_boolean)},
	[PROTOBUF_C_TYPE_ENUM] = {WIRE_VARINT, sizeof(int)},
	[PROTOBUF_C_TYPE_STRING] = {WIRE_BYTES, sizeof(char *)},
	[PROTOBUF_C_TYPE_BYTES] = {WIRE_BYTES, sizeof(ProtobufCBinaryData)},
	[PROTOBUF_C_TYPE_MESSAGE] = {WIRE_BYTES, sizeof(ProtobufCMessage *)},
};

enum wire_type wire_type_of(ProtobufCType type)
{
	return types[type].wire;
}

size_t wire_value_size(ProtobufCType type)
{
	return types[type].size;
}

enum wire_varint wire_read_varint(const uint8_t **at, const uint8_t *end, uint64_t *ret)
{
	uint64_t value = 0;
	for (unsigned shift = 0; shift < 7 * WIRE_VARINT_BYTES; shift += 7) {
		if (*at == end)
			return WIRE_VARINT_SHORT;
		uint8_t byte = *(*at)++;
		value |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80) {
			*ret = value;
			return shift == 63 && byte > 1 ? WIRE_VARINT_WIDE : WIRE_VARINT_OK;
		}
	}
	return WIRE_VARINT_LONG;
}

size_t wire_put_varint(uint8_t *out, uint64_t value)
{
	size_t n = 0;
	for (; value >= 0x80; value >>= 7)
		out[n++] = (uint8_t)(value | 0x80);
	out[n++] = (uint8_t)value;
	return n;
}

size_t wire_put_head(uint8_t *out, uint32_t field, size_t n)
{
	size_t n_tag = wire_put_varint(out, (uint64_t)field << 3 | WIRE_BYTES);
	return n_tag + wire_put_varint(out + n_tag, n);
}

bool wire_read_bytes_message(const uint8_t *message, size_t n, const uint8_t **ret, size_t *ret_n)
{
	const uint8_t *at = message, *end = message + n;
	uint64_t tag = 1 << 3 | WIRE_BYTES, length = 0;
	if (n > 0 && (wire_read_varint(&at, end, &tag) != WIRE_VARINT_OK ||
		      wire_read_varint(&at, end, &length) != WIRE_VARINT_OK))
		return false;
	if (tag != (1 << 3 | WIRE_BYTES) || length != (size_t)(end - at))
		return false;
	*ret = at;
	*ret_n = (size_t)length;
	return true;
}
