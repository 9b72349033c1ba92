/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/dockerfile/dockerfile.h"
#include "frontend/dockerfile/syntax_version.h"

#define DIGEST "@sha256:1111111111111111111111111111111111111111111111111111111111111111"

static void test_tags(void)
{
	static const struct {
		const char *tag;
		bool complete;
	} rows[] = {
		{NULL, true},
		{"latest", true},
		{"1", true},
		{"1.0", true},
		{"1.4.3", true},
		{"1.19", true},
		{"1.26", true},
		{"1.26.0", true},
		{"1.26.1", false},
		{"1.27", false},
		{"1.999.1", false},
		{"2", false},
		{"1.4-labs", true},
		{"1.13-labs", true},
		{"1.13.0-labs", true},
		{"1.14-labs", true},
		{"1.26-labs", true},
		{"1-labs", true},
		{"1.27-labs", false},
		{"2-labs", false},
		{"labs", true},
		{"master", false},
		{"master-labs", false},
		{"1.2.3.4", false},
		{"", false},
		{"-labs", false},
		{"1.0-experimental", false},
		{"experimental", false},
		{"v1", false},
		{"1.", false},
		{"1.9999999999", false},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_test_message("%s", rows[i].tag ? rows[i].tag : "(none)");
		g_assert_cmpint(syntax_version_is_complete(rows[i].tag), ==, rows[i].complete);
	}
}

static void test_images(void)
{
	static const char *const mirror[] = {"mirror.example.com:5000/hub/dockerfile", NULL};
	static const struct {
		const char *source;
		const char *const *repositories;
		bool implemented;
	} rows[] = {
		{"docker/dockerfile", dockerfile_repositories, true},
		{"docker.io/docker/dockerfile:1", dockerfile_repositories, true},
		{"index.docker.io/docker/dockerfile:1", dockerfile_repositories, true},
		{"docker.io/docker/dockerfile-upstream:1.19.0", dockerfile_repositories, true},
		{"docker/dockerfile:1.999", dockerfile_repositories, false},
		{"docker/dockerfile" DIGEST, dockerfile_repositories, false},
		{"docker/dockerfile:1" DIGEST, dockerfile_repositories, false},
		{"dockerfile:1", dockerfile_repositories, false},
		{"dockerfile.v0", dockerfile_repositories, false},
		{"example.com/docker/dockerfile:1", dockerfile_repositories, false},
		{"docker/Dockerfile", dockerfile_repositories, false},
		{"", dockerfile_repositories, false},
		{"mirror.example.com:5000/hub/dockerfile:1", mirror, true},
		{"mirror.example.com:5000/hub/dockerfile:1-labs", mirror, true},
		{"docker/dockerfile:1", mirror, false},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_test_message("%s", rows[i].source);
		g_assert_cmpint(dockerfile_implements(rows[i].source, rows[i].repositories), ==, rows[i].implemented);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/syntax-version/tags", test_tags);
	g_test_add_func("/syntax-version/images", test_images);
	return g_test_run();
}
