/* SPDX-License-Identifier: Apache-2.0 */
#include "contenthash/contenthash.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static int no_root(void *data, GError **error)
{
	error_set(error, ERROR_NOT_FOUND, "no tree");
	return -1;
}

/* Damaged stored digests: loaded, queried and written again. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static const char *const include[] = {"a*", "!ab", NULL};
	static const struct contenthash_selector selectors[] = {{.path = "/"},
								{.path = "/a/../b", .follow_links = true},
								{.path = "*", .wildcard = true, .include = include}};
	struct contenthash_source source = {.open_root = no_root};
	g_autoptr(contenthash) t = contenthash_load(bytes, n);
	for (size_t i = 0; t && i < G_N_ELEMENTS(selectors); i++) {
		struct digest d;
		contenthash_sum(t, &source, &selectors[i], NULL, &d, NULL);
	}
	if (t)
		g_bytes_unref(contenthash_save(t));
	return 0;
}
