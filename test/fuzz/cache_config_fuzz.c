/* SPDX-License-Identifier: Apache-2.0 */
/* An accepted config is equal after it is written and parsed again, and all its chains can be followed. */
#include "base/limits.h"
#include "remotecache/cache_config.h"
#include <string.h>

static void follow(const cache_config *c)
{
	for (guint r = 0; r < c->keys->records->len; r++)
		for (guint n = 0; n < key_graph_get(c->keys, r)->results->len; n++) {
			g_autoptr(GArray) chain = cache_config_chain(c, cache_config_result(c, r, n));
			g_assert(chain->len > 0 && chain->len <= LIMIT_LAYERS);
			for (guint i = 0; i < chain->len; i++)
				g_assert(g_array_index(chain, guint, i) < c->layers->len);
		}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct digest blobs[3];
	digest_of_text("a", &blobs[0]);
	digest_of_text("b", &blobs[1]);
	digest_of_text("c", &blobs[2]);
	g_autoptr(cache_config) records = cache_config_parse_records(data, size, blobs, G_N_ELEMENTS(blobs), NULL);
	if (records)
		follow(records);
	g_autoptr(cache_config) config = cache_config_parse(data, size, NULL);
	if (!config)
		return 0;
	follow(config);
	size_t n, n_again;
	g_autofree char *text = cache_config_write(config, &n, NULL);
	g_autoptr(GError) error = NULL;
	g_autoptr(cache_config) again = cache_config_parse(text, n, &error);
	g_assert_no_error(error);
	g_autofree char *text_again = cache_config_write(again, &n_again, NULL);
	g_assert(n == n_again && memcmp(text, text_again, n) == 0);
	return 0;
}
