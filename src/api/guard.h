/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guard: bounds what protobuf-c does not, before it sees a byte of a peer.
 *
 *	Control__SolveRequest *m = guard_unpack(&control__solve_request__descriptor, bytes, n, error);
 *	...
 *	guard_free(m);
 *
 * Walks the encoded message by its descriptor and refuses more than LIMIT_PROTO_DEPTH levels,
 * LIMIT_PROTO_REPEATED items of a field, LIMIT_PROTO_UNKNOWN_BYTES of unknown fields, lengths beyond the end,
 * strings that are not UTF-8 or hold NUL. Iterative; linear in the input. Absent submessages stay NULL.
 * Errors: INVALID_ARGUMENT. Thread: any.
 */
#pragma once
#include "base/error.h"
#include <protobuf-c/protobuf-c.h>

bool guard_check(const ProtobufCMessageDescriptor *descriptor, const uint8_t *bytes, size_t n, GError **error);
/* Checks, then unpacks. The caller frees with guard_free. */
void *guard_unpack(const ProtobufCMessageDescriptor *descriptor, const uint8_t *bytes, size_t n, GError **error);
/* The same; what Go's decoders refuse is refused in their words (api/wire_fault.h). */
void *guard_unpack_go(const ProtobufCMessageDescriptor *descriptor, const uint8_t *bytes, size_t n, GError **error);
void guard_free(void *message /* NULL is fine */);

/* The encoding of any message, newly allocated. */
GBytes *message_pack(const void *message);
/* A deep copy (pack and unpack). */
void *message_copy(const void *message);

#define DEFINE_MESSAGE_AUTOPTR(type) G_DEFINE_AUTOPTR_CLEANUP_FUNC(type, guard_free)
