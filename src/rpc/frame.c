/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/frame.h"
#include "base/limits.h"

void frame_write_prefix(uint8_t prefix[FRAME_PREFIX], size_t size)
{
	guint32 be = GUINT32_TO_BE((guint32)size);
	prefix[0] = 0;
	memcpy(prefix + 1, &be, 4);
}

size_t frame_partial(const struct frame_reader *r)
{
	return r->prefix_len + r->have;
}

void frame_done(struct frame_reader *r)
{
	g_clear_pointer(&r->message, g_free);
}

static bool start_message(struct frame_reader *r, GError **error)
{
	guint32 be;
	memcpy(&be, r->prefix + 1, 4);
	r->size = GUINT32_FROM_BE(be);
	if (r->prefix[0] == 1)
		return error_set(error, ERROR_INTERNAL, "grpc: compressed flag set with identity or empty encoding");
	if (r->prefix[0] != 0)
		return error_set(error, ERROR_INTERNAL, "grpc: received unexpected payload format %d", r->prefix[0]);
	if (r->size > r->max)
		return error_set(error, ERROR_RESOURCE_EXHAUSTED,
				 "grpc: received message larger than max (%zu vs. %zu)", r->size, r->max);
	r->have = r->room = 0;
	return true;
}

static void make_room(struct frame_reader *r, size_t more)
{
	size_t need = r->have + more;
	if (need <= r->room && r->message)
		return;
	size_t step = MAX((size_t)LIMIT_MESSAGE_STEP_BYTES, r->have * 2);
	r->room = MAX(1, MIN(r->size, MAX(need, step)));
	r->message = g_realloc(r->message, r->room);
}

static void end_message(struct frame_reader *r, GQueue *queue)
{
	make_room(r, 0);
	g_queue_push_tail(queue, g_bytes_new_take(g_steal_pointer(&r->message), r->size));
	r->prefix_len = r->have = r->room = 0;
}

bool frame_feed(struct frame_reader *r, const uint8_t *bytes, size_t n, GQueue *queue, GError **error)
{
	while (n > 0) {
		if (r->prefix_len < FRAME_PREFIX) {
			size_t part = MIN(n, FRAME_PREFIX - r->prefix_len);
			memcpy(r->prefix + r->prefix_len, bytes, part);
			r->prefix_len += part;
			bytes += part;
			n -= part;
			if (r->prefix_len == FRAME_PREFIX && !start_message(r, error))
				return false;
			if (r->prefix_len == FRAME_PREFIX && r->size == 0)
				end_message(r, queue);
			continue;
		}
		size_t part = MIN(n, r->size - r->have);
		make_room(r, part);
		memcpy(r->message + r->have, bytes, part);
		r->have += part;
		bytes += part;
		n -= part;
		if (r->have == r->size)
			end_message(r, queue);
	}
	return true;
}
