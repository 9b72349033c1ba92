/* SPDX-License-Identifier: Apache-2.0 */
/* The plan of a step as read from the socket: an accepted plan can be walked, and is encoded to the same bytes. */
#include "runner/plan.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t n_arena = plan_arena_size(size);
	uint8_t *bytes = malloc(size + 1), *arena = malloc(n_arena), *again = malloc(size + 1);
	struct plan plan;
	struct plan_codec c;
	if (bytes == NULL || arena == NULL || again == NULL)
		abort();
	memcpy(bytes, data, size);
	if (plan_decode(bytes, size, arena, n_arena, 3, &plan) == 0) {
		plan_codec_init_write(&c, again, size);
		if (plan_encode(&c, &plan) != 0 || c.used != size || memcmp(again, bytes, size) != 0)
			abort();
	}
	free(bytes);
	free(arena);
	free(again);
	return 0;
}
