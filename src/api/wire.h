/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire: the protobuf encoding: wire types, varints, and the headers of length-delimited fields.
 *
 *	uint8_t head[WIRE_HEAD_BYTES];
 *	size_t n_head = wire_put_head(head, 1, n);              data = 1; the n bytes follow
 *
 *	uint64_t value;
 *	if (wire_read_varint(&at, end, &value) != WIRE_VARINT_OK) ...
 *
 * For code that reads or writes messages without building them, because they are large or from a peer.
 * Thread: any.
 */
#pragma once
#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

enum wire_type {
	WIRE_VARINT = 0,
	WIRE_64 = 1,
	WIRE_BYTES = 2,
	WIRE_GROUP = 3,
	WIRE_GROUP_END = 4,
	WIRE_32 = 5,
};
/* Returns the encoding of a single value of the type. */
enum wire_type wire_type_of(ProtobufCType type);
/* Returns the size of a single value of the type in protobuf-c's structs. */
size_t wire_value_size(ProtobufCType type);

#define WIRE_VARINT_BYTES 10 /* at most */
#define WIRE_HEAD_BYTES (2 * WIRE_VARINT_BYTES)

enum wire_varint {
	WIRE_VARINT_OK,
	WIRE_VARINT_WIDE,  /* complete, but bits beyond the 64th were dropped */
	WIRE_VARINT_SHORT, /* the input ends inside it */
	WIRE_VARINT_LONG,  /* more than WIRE_VARINT_BYTES */
};
/* Advances *at behind the varint, or the part of an invalid one that was read; sets ret for OK and WIDE. */
enum wire_varint wire_read_varint(const uint8_t **at, const uint8_t *end, uint64_t *ret);
/* Returns the number of bytes written to out, at most WIRE_VARINT_BYTES. */
size_t wire_put_varint(uint8_t *out, uint64_t value);
/* Writes tag and length of a field of n bytes. Returns the number of bytes written, at most WIRE_HEAD_BYTES. */
size_t wire_put_head(uint8_t *out, uint32_t field, size_t n);

/*
 * Returns the payload of a message whose only field is "bytes data = 1" (BytesMessage), without a copy. False: the
 * encoding is unusual or malformed; then use guard_unpack.
 */
bool wire_read_bytes_message(const uint8_t *message, size_t n, const uint8_t **ret, size_t *ret_n);
