/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guard: checks encoded protobuf messages against limits that protobuf-c lacks, before it parses them.
 *
 *	Control__SolveRequest *m = guard_unpack(&control__solve_request__descriptor, bytes, n, error);
 *	...
 *	guard_free(m);
 *
 * Walks the encoded message by its descriptor and refuses more than LIMIT_PROTO_DEPTH levels,
 * LIMIT_PROTO_REPEATED items of a field, LIMIT_PROTO_UNKNOWN_BYTES of unknown fields, lengths beyond the end,
 * strings that are not UTF-8 or contain NUL. Iterative; linear in the input. Absent submessages stay NULL.
 * Errors: INVALID_ARGUMENT. Thread: any.
 */
#pragma once
#include "base/error.h"
#include <protobuf-c/protobuf-c.h>

bool guard_check(const ProtobufCMessageDescriptor *descriptor, const uint8_t *bytes, size_t n, GError **error);
/* Checks and unpacks. The caller frees with guard_free. */
void *guard_unpack(const ProtobufCMessageDescriptor *descriptor, const uint8_t *bytes, size_t n, GError **error);
/* The same; messages that Go's decoders refuse get their error texts (api/wire_fault.h). */
void *guard_unpack_go(const ProtobufCMessageDescriptor *descriptor, const uint8_t *bytes, size_t n, GError **error);
void guard_free(void *message /* NULL is allowed */);

/* Returns the encoding of any message, newly allocated. */
GBytes *message_pack(const void *message);
/* Returns a deep copy (pack and unpack). */
void *message_copy(const void *message);

#define DEFINE_MESSAGE_AUTOPTR(type) G_DEFINE_AUTOPTR_CLEANUP_FUNC(type, guard_free)
