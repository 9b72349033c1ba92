/* SPDX-License-Identifier: Apache-2.0 */
#include "format/purl.h"
#include "lib/outcome.h"

#define DIGEST "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"

static const struct row {
	const char *type, *image, *platform, *ref_type, *vcs_url, *want;
} rows[] = {
	{"docker", "alpine", NULL, NULL, NULL, "pkg:docker/alpine@latest"},
	{"docker", "foo/bar:1", "linux/amd64", NULL, NULL, "pkg:docker/foo/bar@1?platform=linux%2Famd64"},
	{"docker", "docker.io/library/alpine:3", "linux/arm/v7", NULL, NULL,
	 "pkg:docker/alpine@3?platform=linux%2Farm%2Fv7"},
	{"docker", "127.0.0.1:5000/a/b:v1", NULL, NULL, NULL, "pkg:docker/127.0.0.1%3A5000/a/b@v1"},
	{"docker", "alpine@" DIGEST, NULL, NULL, NULL, "pkg:docker/alpine?digest=" DIGEST},
	{"docker", "alpine:3@" DIGEST, "linux/amd64", NULL, NULL,
	 "pkg:docker/alpine@3?digest=" DIGEST "&platform=linux%2Famd64"},
	{"oci", "layout:v1", "linux/amd64", NULL, NULL, "pkg:oci/layout@v1?platform=linux%2Famd64"},
	{"docker", "alpine@" DIGEST, NULL, "blob", NULL, "pkg:docker/alpine?digest=" DIGEST "&ref_type=blob"},
	{"oci", "a/b", NULL, "bundle", "https://h/x.git#v 1",
	 "pkg:oci/a/b@latest?ref_type=bundle&vcs_url=https:%2F%2Fh%2Fx.git%23v%201"},
};

static void test_images(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct platform p;
		GError *error = NULL;
		if (rows[i].platform)
			assert_succeeds(platform_parse(rows[i].platform, &p, &failure));
		g_autofree char *got = purl_of_image(rows[i].type, rows[i].image, rows[i].platform ? &p : NULL,
						     rows[i].ref_type, rows[i].vcs_url, &error);
		g_assert_no_error(error);
		g_assert_cmpstr(got, ==, rows[i].want);
	}
}

static void test_no_image(void)
{
	g_autoptr(GError) error = NULL;
	g_assert_null(purl_of_image("docker", "A B", NULL, NULL, NULL, &error));
	g_assert_nonnull(error);
	g_assert_cmpstr(error->message, ==,
			"failed to parse ref \"A B\": invalid reference format: repository name (library/A B) must be "
			"lowercase");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/purl/images", test_images);
	g_test_add_func("/purl/no-image", test_no_image);
	return g_test_run();
}
