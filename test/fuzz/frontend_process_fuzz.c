/* SPDX-License-Identifier: Apache-2.0 */
/* The process of a frontend image. Input: the option "frontend.caps" as the first line, then the image config. */
#include "frontend/gateway/process.h"
#include <stddef.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void start(const struct frontend_image *image, const char *caps)
{
	g_autoptr(GHashTable) options = g_hash_table_new(g_str_hash, g_str_equal);
	g_hash_table_insert(options, (void *)"frontend.caps", (void *)caps);
	const struct gateway_process_request request = {
		.image = image, .options = options, .n_inputs = strlen(caps) % 2, .session = "s"};
	struct gateway_process process;
	if (gateway_process_init(&process, &request, NULL)) {
		g_assert_nonnull(process.args[0]);
		g_assert_cmpint(*process.cwd, !=, '\0');
		g_assert_true(g_strv_contains((const char *const *)process.env, "BUILDKIT_SESSION_ID=s"));
	}
	gateway_process_clear(&process);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	const uint8_t *end = n > 0 ? memchr(bytes, '\n', n) : NULL;
	if (!end)
		return 0;
	g_autofree char *caps = g_strndup((const char *)bytes, (gsize)(end - bytes));
	struct frontend_image image = {0};
	if (frontend_image_read_config(&image, end + 1, n - (size_t)(end + 1 - bytes), NULL))
		start(&image, caps);
	frontend_image_clear(&image);
	return 0;
}
