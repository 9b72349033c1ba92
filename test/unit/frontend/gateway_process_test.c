/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/gateway/process.h"
#include "base/version.h"
#include "lib/outcome.h"

struct fixture {
	struct frontend_image image;
	GHashTable *options, *labels;
	worker worker;
	worker *workers[1];
	struct platform platforms[2];
	struct gateway_process_request request;
};

static GHashTable *table_new(void)
{
	return g_hash_table_new(g_str_hash, g_str_equal);
}

static void fixture_init(struct fixture *f)
{
	*f = (struct fixture){0};
	f->options = table_new();
	f->image.labels = table_new();
	f->image.env = g_new0(char *, 1);
	f->image.working_dir = (char *)"";
	f->labels = table_new();
	f->platforms[0] = (struct platform){.os = "linux", .architecture = "amd64"};
	f->platforms[1] = (struct platform){.os = "linux", .architecture = "arm", .variant = "v7"};
	f->worker = (worker){.id = (char *)"w1", .labels = f->labels, .platforms = f->platforms, .n_platforms = 2};
	f->workers[0] = &f->worker;
	f->request = (struct gateway_process_request){.image = &f->image,
						      .options = f->options,
						      .session = "session1",
						      .workers = f->workers,
						      .n_workers = 1};
}

static void fixture_clear(struct fixture *f)
{
	g_hash_table_unref(f->options);
	g_hash_table_unref(f->image.labels);
	g_hash_table_unref(f->labels);
	g_strfreev(f->image.env);
}

static void put(GHashTable *t, const char *key, const char *value)
{
	g_hash_table_insert(t, (char *)key, (char *)value);
}

static void expect(char **list, const char *want)
{
	g_autofree char *got = g_strjoinv("|", list);
	g_assert_cmpstr(got, ==, want);
}

#define WORKERS(labels)                                                                                                \
	"BUILDKIT_WORKERS=[{\"id\":\"w1\",\"labels\":{" labels                                                         \
	"},\"platforms\":[{\"architecture\":\"amd64\",\"os\":\"linux\"},{\"architecture\":\"arm\",\"os\":\"linux\","   \
	"\"variant\":\"v7\"}],\"gcPolicy\":null,\"buildkitVersion\":{\"package\":\"" BUILDKIT_PACKAGE                  \
	"\",\"version\":\"" BUILDKIT_VERSION "\",\"revision\":\"" BUILDKIT_REVISION                                    \
	"\",\"dockerfileVersion\":\"" DOCKERFILE_VERSION "\"},\"cdiDevices\":null}]"

static void test_defaults(void)
{
	struct fixture f;
	struct gateway_process p;
	g_autoptr(GError) error = NULL;
	fixture_init(&f);
	gateway_process_init(&p, &f.request, &error);
	g_assert_no_error(error);
	expect(p.args, "/run");
	expect(p.env, "BUILDKIT_SESSION_ID=session1|" WORKERS("") "|BUILDKIT_EXPORTEDPRODUCT=buildkit");
	g_assert_cmpstr(p.cwd, ==, "/");
	g_assert_false(p.no_network);
	gateway_process_clear(&p);
	fixture_clear(&f);
}

static void test_image(void)
{
	struct fixture f;
	struct gateway_process p;
	g_autoptr(GError) error = NULL;
	fixture_init(&f);
	g_auto(GStrv) entrypoint = g_strsplit("/bin/frontend|--verbose", "|", -1);
	g_strfreev(f.image.env);
	f.image.env = g_strsplit("PATH=/bin|A=1", "|", -1);
	f.image.entrypoint = entrypoint;
	f.image.working_dir = (char *)"/w";
	put(f.image.labels, "moby.buildkit.frontend.network.none", "true");
	put(f.labels, "b", "2\"");
	put(f.labels, "a", "1");
	put(f.options, "target", "x=y");
	put(f.options, "build-arg:A", "");
	put(f.options, "source", "image:1");
	gateway_process_init(&p, &f.request, &error);
	g_assert_no_error(error);
	expect(p.args, "/bin/frontend|--verbose");
	expect(p.env, "PATH=/bin|A=1|BUILDKIT_FRONTEND_OPT_0=build-arg:A=|BUILDKIT_FRONTEND_OPT_1=source=image:1|"
		      "BUILDKIT_FRONTEND_OPT_2=target=x=y|BUILDKIT_SESSION_ID=session1|" WORKERS(
			      "\"a\":\"1\",\"b\":\"2\\\"\"") "|BUILDKIT_EXPORTEDPRODUCT=buildkit");
	g_assert_cmpstr(p.cwd, ==, "/w");
	g_assert_true(p.no_network);
	gateway_process_clear(&p);
	fixture_clear(&f);
}

static void test_network_labels(void)
{
	static const struct {
		const char *value;
		bool none;
	} rows[] = {{"1", true},      {"t", true},    {"TRUE", true}, {"0", false},
		    {"false", false}, {"yes", false}, {"", false}};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct fixture f;
		struct gateway_process p;
		fixture_init(&f);
		put(f.image.labels, "moby.buildkit.frontend.network.none", rows[i].value);
		assert_succeeds(gateway_process_init(&p, &f.request, &failure));
		g_test_message("%s", rows[i].value);
		g_assert_cmpint(p.no_network, ==, rows[i].none);
		gateway_process_clear(&p);
		fixture_clear(&f);
	}
}

/* needs: option frontend.caps; has: label; missing: the cap in the error, NULL: accepted. */
static void test_caps(void)
{
	static const char inputs_116[] = "sha256:9ac1c43a60e31dca741a6fe8314130a9cd4c4db0311fbbc636ff992ef60ae76d";
	static const struct {
		const char *needs, *has, *digest;
		size_t n_inputs;
		const char *missing;
	} rows[] = {
		{NULL, NULL, "", 0, NULL},
		{"", "", "", 0, NULL},
		{"a", "a", "", 0, NULL},
		{"a+forward", "b,a+x", "", 0, NULL},
		{",a,,", "a", "", 0, NULL},
		{"a,b", "a", "", 0, "b"},
		{"a", NULL, "", 0, "a"},
		{"a", "aa", "", 0, "a"},
		{NULL, NULL, "", 1, "moby.buildkit.frontend.inputs"},
		{NULL, "moby.buildkit.frontend.inputs", "", 1, NULL},
		{NULL, "moby.buildkit.frontend.subrequests,moby.buildkit.frontend.inputs+x", "", 3, NULL},
		{NULL, NULL, inputs_116, 1, NULL},
		{"moby.buildkit.frontend.inputs", NULL, inputs_116, 0, NULL},
		{"moby.buildkit.frontend.subrequests", NULL, inputs_116, 0, "moby.buildkit.frontend.subrequests"},
		{"quote\"", NULL, "", 0, "quote\""},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct fixture f;
		struct gateway_process p;
		g_autoptr(GError) error = NULL;
		fixture_init(&f);
		if (rows[i].needs)
			put(f.options, "frontend.caps", rows[i].needs);
		if (rows[i].has)
			put(f.image.labels, "moby.buildkit.frontend.caps", rows[i].has);
		g_strlcpy(f.image.digest, rows[i].digest, sizeof f.image.digest);
		f.request.n_inputs = rows[i].n_inputs;
		g_test_message("%zu", i);
		bool ok = gateway_process_init(&p, &f.request, &error);
		g_assert_cmpint(ok, ==, rows[i].missing == NULL);
		if (!ok) {
			g_autofree char *want = g_strdup_printf("unsupported frontend capability %s", rows[i].missing);
			g_assert_cmpstr(error->message, ==, want);
			g_assert_true(error_is(error, ERROR_UNIMPLEMENTED));
			g_assert_true(error_has_detail(error, "errdefs.FrontendCap"));
		}
		gateway_process_clear(&p);
		fixture_clear(&f);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/gateway-process/defaults", test_defaults);
	g_test_add_func("/gateway-process/image", test_image);
	g_test_add_func("/gateway-process/network-labels", test_network_labels);
	g_test_add_func("/gateway-process/caps", test_caps);
	return g_test_run();
}
