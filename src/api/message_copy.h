/* SPDX-License-Identifier: Apache-2.0 */
/*
 * message_copy: messages in an arena: new ones and copies, made without encoding, whose members are not freed individually.
 *
 *	Pb__Op *op = message_copy_in(a, &draft);
 *
 * Do not call guard_free: the copy is freed with its arena. Thread: as the arena.
 */
#pragma once
#include "base/arena.h"
#include <protobuf-c/protobuf-c.h>

/* A message in the arena with default values. name: the prefix of its generated functions. */
#define message_new_in(a, type, name)                                                                                  \
	({                                                                                                             \
		type *message_ = arena_alloc(a, sizeof(type));                                                         \
		name##__init(message_);                                                                                \
		message_;                                                                                              \
	})
/* Returns a deep copy. Copies the member of a one-of that is set; recurses as deep as the message is nested. */
void *message_copy_in(arena *a, const void *message);
