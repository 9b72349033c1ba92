/* SPDX-License-Identifier: Apache-2.0 */
/* The first byte determines the size of the pieces in which the rest arrives. */
#include "rpc/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	if (n == 0)
		return 0;
	size_t piece = (size_t)bytes[0] + 1;
	struct frame_reader reader = {.max = 1 << 20};
	GQueue queue = G_QUEUE_INIT;
	bool ok = true;
	size_t fed = 0;
	for (size_t at = 1; ok && at < n; at += piece) {
		size_t part = MIN(piece, n - at);
		ok = frame_feed(&reader, bytes + at, part, &queue, NULL);
		fed += part;
	}
	size_t whole = frame_partial(&reader);
	for (const GList *l = queue.head; l; l = l->next)
		whole += g_bytes_get_size(l->data) + FRAME_PREFIX;
	if (ok && whole != fed)
		g_error("%zu bytes of %zu", whole, fed);
	frame_done(&reader);
	g_queue_clear_full(&queue, (GDestroyNotify)g_bytes_unref);
	return 0;
}
