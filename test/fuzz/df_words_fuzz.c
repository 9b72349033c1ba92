/* SPDX-License-Identifier: Apache-2.0 */
/* A word with variables, with all kinds of expansion. */
#include "frontend/dockerfile/env.h"
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	g_autoptr(arena) a = arena_new();
	g_autoptr(GPtrArray) tables = g_ptr_array_new_with_free_func((GDestroyNotify)g_hash_table_unref);
	struct env *env = env_new(a, tables);
	env_set(env, "v", "/a/b/c.tar.gz", NULL);
	env_set(env, "e", "", NULL);
	env_set(env, "long", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\nb", NULL);
	char *text = arena_strndup(a, (const char *)bytes, n);
	for (unsigned mode = 0; mode < 16; mode++) {
		int64_t work = 1 << 18;
		struct words w = {.escape = mode & 8 ? '`' : '\\',
				  .keep_quotes = mode & 1,
				  .keep_unset = mode & 1,
				  .keep_escapes = mode & 2,
				  .plain_quotes = mode & 4,
				  .work = &work};
		struct words_result r;
		g_autoptr(GError) error = NULL;
		words_expand(&w, a, text, &env->words, &r, &error);
	}
	return 0;
}
