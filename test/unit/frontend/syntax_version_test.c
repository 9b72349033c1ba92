/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/dockerfile/syntax_version.h"
#include "base/version.h"

#define DIGEST "@sha256:1111111111111111111111111111111111111111111111111111111111111111"

static void test_versions(void)
{
	static const struct {
		const char *source;
		char want; /* y: accepted, w: with a warning, n: refused */
	} rows[] = {
		{"dockerfile.v0", 'y'},
		{"docker/dockerfile", 'y'},
		{"docker/dockerfile:latest", 'y'},
		{"docker/dockerfile:1", 'y'},
		{"docker/dockerfile:1.0", 'y'},
		{"docker/dockerfile:1.4.3", 'y'},
		{"docker.io/docker/dockerfile-upstream:1.19.0", 'y'},
		{"docker/dockerfile:1.999", 'n'},
		{"docker/dockerfile:1.999.1", 'n'},
		{"docker/dockerfile:2", 'n'},
		{"docker/dockerfile:1.999" DIGEST, 'n'},
		{"docker/dockerfile:1-labs", 'w'},
		{"docker/dockerfile:1.4-labs", 'w'},
		{"docker/dockerfile:1.2.3.4", 'w'},
		{"docker/dockerfile:master", 'w'},
		{"docker/dockerfile" DIGEST, 'w'},
		{"docker/dockerfile:1" DIGEST, 'w'},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(GError) error = NULL;
		g_autofree char *warning = NULL;
		bool ok = syntax_version_check(rows[i].source, &warning, &error);
		char got = !ok ? 'n' : warning ? 'w' : 'y';
		g_test_message("%s", rows[i].source);
		g_assert_cmpint(got, ==, rows[i].want);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/syntax-version/versions", test_versions);
	return g_test_run();
}
