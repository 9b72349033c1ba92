/* SPDX-License-Identifier: Apache-2.0 */
/*
 * message_copy: copies messages into an arena, without encoding them and without freeing members individually.
 *
 *	Pb__Op *op = message_copy_in(a, &draft);
 *
 * Do not call guard_free: the copy is freed with its arena. Thread: as the arena.
 */
#pragma once
#include "base/arena.h"
#include <protobuf-c/protobuf-c.h>

/* Returns a deep copy. Copies the member of a one-of that is set; recurses as deep as the message is nested. */
void *message_copy_in(arena *a, const void *message);
