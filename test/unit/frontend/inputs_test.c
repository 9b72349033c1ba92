/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/dockerfile/dockerfile.h"
#include "lib/mock_bridge.h"

/* A client's nil definition arrives as an empty one: an error for every input. */
static void test_nil(void)
{
	static const char *const names[] = {"context", "dockerfile", "other"};
	Pb__Definition empty = PB__DEFINITION__INIT;
	for (size_t i = 0; i < 2 * G_N_ELEMENTS(names); i++) {
		struct mock_bridge *m = mock_bridge_new();
		g_autoptr(GHashTable) options = g_hash_table_new(g_str_hash, g_str_equal);
		g_autoptr(GHashTable) inputs = g_hash_table_new(g_str_hash, g_str_equal);
		g_autoptr(GError) error = NULL;
		build_result *result = NULL;
		mock_bridge_file(m, "Dockerfile", "FROM scratch\n");
		g_hash_table_insert(inputs, (char *)names[i / 2], i % 2 ? &empty : NULL);
		g_assert_false(dockerfile_frontend.solve(&m->bridge, options, inputs, NULL, &result, &error));
		g_assert_cmpstr(error->message, ==,
				"failed to get frontend inputs: invalid nil input definition to definition op");
		mock_bridge_free(m);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/inputs/nil", test_nil);
	return g_test_run();
}
