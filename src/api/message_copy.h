/* SPDX-License-Identifier: Apache-2.0 */
/*
 * message_copy: messages copied into an arena: no encoding in between, and nothing to free one by one.
 *
 *	Pb__Op *op = message_copy_in(a, &draft);
 *
 * Never given to guard_free: the copy goes with its arena. Thread: the arena's.
 */
#pragma once
#include "base/arena.h"
#include <protobuf-c/protobuf-c.h>

/* A deep copy. Of one-ofs the member that is set; as deep as the message is nested. */
void *message_copy_in(arena *a, const void *message);
