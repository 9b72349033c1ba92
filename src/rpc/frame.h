/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frame: extracts gRPC's length-prefixed messages from a stream of bytes.
 *
 *	struct frame_reader r = {.max = LIMIT_MESSAGE_BYTES};
 *	if (!frame_feed(&r, bytes, n, &queue, error)) ...        complete messages are appended to the queue
 *	frame_done(&r);
 *
 * Memory grows with the received bytes, not with the announced length.
 * Thread: one at a time.
 */
#pragma once
#include "base/error.h"

#define FRAME_PREFIX 5

struct frame_reader {
	size_t max;
	uint8_t prefix[FRAME_PREFIX];
	size_t prefix_len;
	uint8_t *message; /* owned, NULL between messages */
	size_t size;      /* of the message that is being read */
	size_t have;
	size_t room; /* allocated */
};

/* Errors: RESOURCE_EXHAUSTED (too large), INTERNAL (compressed flag). queue: of GBytes. */
bool frame_feed(struct frame_reader *r, const uint8_t *bytes, size_t n, GQueue *queue, GError **error);
/* Returns the number of bytes of the unfinished message, with its prefix. */
size_t frame_partial(const struct frame_reader *r);
void frame_done(struct frame_reader *r);
void frame_write_prefix(uint8_t prefix[FRAME_PREFIX], size_t size);
