/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/build_internal.h"

static void test_settle(void)
{
	static const struct {
		const char *frontend, *source, *context, *wanted;
		bool keeps_source;
	} cases[] = {
		{"gateway.v0", "dockerfile.v0", NULL, "dockerfile.v0", false},
		{"gateway.v0", "dockerfile.v0", "context:dockerfile.v1", "dockerfile.v0", false},
		{"gateway.v0", "dockerfile.v0", "context:dockerfile.v0", "gateway.v0", true},
		{"gateway.v0", "dockerfile.v0", "context:dockerfile.v0::linux/amd64", "gateway.v0", true},
		{"gateway.v0", "docker/dockerfile", NULL, "gateway.v0", true},
		{"gateway.v0", NULL, NULL, "gateway.v0", false},
		{"dockerfile.v0", "dockerfile.v0", NULL, "dockerfile.v0", true},
		{"", "dockerfile.v0", NULL, "", true},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GHashTable) options = g_hash_table_new(g_str_hash, g_str_equal);
		const char *frontend = cases[i].frontend;
		g_hash_table_insert(options, (char *)"a", (char *)"1");
		if (cases[i].source)
			g_hash_table_insert(options, (char *)"source", (char *)cases[i].source);
		if (cases[i].context)
			g_hash_table_insert(options, (char *)cases[i].context, (char *)"x");
		build_settle_frontend(&frontend, options);
		g_assert_cmpstr(frontend, ==, cases[i].wanted);
		g_assert_cmpstr(g_hash_table_lookup(options, "source"), ==,
				cases[i].keeps_source ? cases[i].source : NULL);
		g_assert_cmpuint(g_hash_table_size(options), ==,
				 1 + cases[i].keeps_source + (cases[i].context != NULL));
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/bridge_frontend/settle", test_settle);
	return g_test_run();
}
