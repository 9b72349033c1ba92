/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash_walk.h"

static void test_entries(void)
{
	g_autoptr(GHashTable) table = g_hash_table_new(NULL, NULL);
	guint keys = 0, values = 0;
	for (guint i = 1; i <= 9; i++)
		g_hash_table_insert(table, GUINT_TO_POINTER(i), GUINT_TO_POINTER(10 * i));
	for (struct hash_walk it = hash_walk(table); hash_walk_next(&it);) {
		keys += GPOINTER_TO_UINT(it.key);
		values += GPOINTER_TO_UINT(it.value);
		if (GPOINTER_TO_UINT(it.key) % 2)
			g_hash_table_iter_remove(&it.iter);
	}
	g_assert_cmpuint(keys, ==, 45);
	g_assert_cmpuint(values, ==, 450);
	g_assert_cmpuint(g_hash_table_size(table), ==, 4);
}

static void test_nothing(void)
{
	g_autoptr(GHashTable) empty = g_hash_table_new(NULL, NULL);
	GHashTable *tables[] = {NULL, empty};
	for (size_t i = 0; i < G_N_ELEMENTS(tables); i++) {
		struct hash_walk it = hash_walk(tables[i]);
		g_assert_false(hash_walk_next(&it));
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/hash_walk/entries", test_entries);
	g_test_add_func("/hash_walk/nothing", test_nothing);
	return g_test_run();
}
