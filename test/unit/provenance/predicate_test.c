/* SPDX-License-Identifier: Apache-2.0 */
#include "provenance/predicate.h"
#include "llb/build.h"
#include "oci/oci.h"
#include "api/guard.h"
#include <string.h>

#define HEX "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
#define COMMIT "0123456789012345678901234567890123456789"
#define REPOSITORY "https://user:password@h/x.git#v1"
#define STARTED INT64_C(1600000000000000000)

static void set(GHashTable *table, const char *key, const char *value)
{
	g_hash_table_insert(table, g_strdup(key), g_strdup(value));
}

/* What a client asked for, with everything that must not be told. */
static GHashTable *options_new(void)
{
	GHashTable *options = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	set(options, "context", REPOSITORY ":dir");
	set(options, "context:more", "https://u:p@h/more.git");
	set(options, "filename", "Dockerfile");
	set(options, "target", "last");
	set(options, "build-arg:A", "private");
	set(options, "label:l", "v");
	set(options, "vcs:source", "https://u:p@h/x.git");
	set(options, "vcs:revision", "r1");
	set(options, "attest:provenance", "mode=min");
	set(options, "platform", "linux/amd64");
	set(options, "image-resolve-mode", "pull");
	return options;
}

static void add(provenance_capture *c, enum source_material kind, const char *name, const char *pin)
{
	provenance_capture_add_source(c, kind, &(struct provenance_source){.name = (char *)name, .pin = (char *)pin});
}

static provenance_capture *capture_new(void)
{
	provenance_capture *c = provenance_capture_new();
	struct provenance_source image = {
		.name = (char *)"docker.io/library/base:1", .pin = (char *)"sha256:" HEX, .has_platform = true};
	platform_parse("linux/amd64", &image.platform, NULL);
	provenance_capture_add_source(c, SOURCE_MATERIAL_IMAGE, &image);
	image.name = (char *)"docker.io/library/base:1@sha256:" HEX;
	provenance_capture_add_source(c, SOURCE_MATERIAL_IMAGE, &image); /* the same one, by digest */
	add(c, SOURCE_MATERIAL_GIT, REPOSITORY, COMMIT);
	struct provenance_source bundled = {
		.name = (char *)REPOSITORY, .pin = (char *)COMMIT, .bundle = (char *)"oci-layout+blob://s@sha256:" HEX};
	provenance_capture_add_source(c, SOURCE_MATERIAL_GIT, &bundled);
	provenance_capture_add_source(c, SOURCE_MATERIAL_GIT, &bundled);
	add(c, SOURCE_MATERIAL_HTTP, "https://u:p@h/file", "sha256:" HEX);
	provenance_capture_add_secret(c, "token", true);
	provenance_capture_add_secret(c, "token", false);
	provenance_capture_add_ssh(c, "", true);
	g_autoptr(GHashTable) options = options_new();
	c->request = (struct provenance_request){g_strdup("dockerfile.v0"), provenance_args(options)};
	provenance_capture_settle(c);
	return c;
}

static struct provenance_predicate predicate_of(const provenance_capture *c)
{
	return (struct provenance_predicate){
		.capture = c,
		.builder_id = "b",
		.builder_platform = "linux/amd64",
		.dockerfile_version = "1.0",
		.invocation_id = "i",
		.started_ns = STARTED,
		.finished_ns = STARTED + 1,
		.compat_version = 30,
	};
}

static char *written(const struct provenance_predicate *p)
{
	GError *error = NULL;
	char *text = provenance_predicate_write(p, NULL, &error);
	g_assert_no_error(error);
	return text;
}

#define MATERIALS                                                                                                      \
	"[{\"uri\":\"pkg:docker/base@1?platform=linux%2Famd64\",\"digest\":{\"sha256\":\"" HEX "\"}},"                 \
	"{\"uri\":\"https://xxxxx:xxxxx@h/x.git#v1\",\"digest\":{\"sha1\":\"" COMMIT "\"}},"                           \
	"{\"uri\":\"https://xxxxx:xxxxx@h/x.git#v1\",\"digest\":{\"sha1\":\"" COMMIT "\"}},"                           \
	"{\"uri\":\"pkg:oci/s@latest?ref_type=bundle\\u0026vcs_url=https:%2F%2Fxxxxx:xxxxx@h%2Fx.git%23v1\","          \
	"\"digest\":{\"sha256\":\"" HEX "\"}},"                                                                        \
	"{\"uri\":\"https://xxxxx:xxxxx@h/file\",\"digest\":{\"sha256\":\"" HEX "\"}}]"
#define SHOWN_ARGS "\"context:more\":\"https://xxxxx:xxxxx@h/more.git\""
#define CONFIG_SOURCE "\"uri\":\"https://xxxxx:xxxxx@h/x.git#v1:dir\",\"digest\":{\"sha1\":\"" COMMIT "\"}"
#define VCS "\"vcs\":{\"revision\":\"r1\",\"source\":\"https://xxxxx:xxxxx@h/x.git\"}"

static void test_min_v1(void)
{
	g_autoptr(provenance_capture) c = capture_new();
	struct provenance_predicate p = predicate_of(c);
	g_autofree char *got = written(&p);
	g_assert_cmpstr(
		got, ==,
		"{\"buildDefinition\":{\"buildType\":\"https://github.com/moby/buildkit/blob/master/docs/attestations/"
		"slsa-definitions.md\",\"resolvedDependencies\":" MATERIALS
		",\"externalParameters\":{\"configSource\":{" CONFIG_SOURCE
		",\"path\":\"Dockerfile\"},\"request\":{\"frontend\":\"dockerfile.v0\",\"args\":{" SHOWN_ARGS
		",\"target\":\"last\"},\"compatibilityVersion\":30}},\"internalParameters\":{\"builderPlatform\":"
		"\"linux/amd64\","
		"\"dockerfileVersion\":\"1.0\"}},\"runDetails\":{\"builder\":{\"id\":\"b\"},\"metadata\":{"
		"\"invocationId\":\"i\","
		"\"startedOn\":\"2020-09-13T12:26:40Z\",\"finishedOn\":\"2020-09-13T12:26:40.000000001Z\",\"buildkit_"
		"metadata\":{" VCS "},\"buildkit_hermetic\":true,\"buildkit_completeness\":{\"request\":false,"
		"\"resolvedDependencies\":true}}}}");
}

static void test_proxy(void)
{
	g_autoptr(provenance_capture) c = capture_new(), other = provenance_capture_new();
	struct provenance_predicate p = predicate_of(c);
	const struct provenance_untracked post = {.op = (char *)"sha256:b",
						  .name = (char *)"make it",
						  .method = (char *)"POST",
						  .uri = (char *)"http://h/",
						  .reason = "method_not_materializable"};
	const struct provenance_untracked many = {.op = (char *)"sha256:a",
						  .name = (char *)"x",
						  .method = (char *)"",
						  .uri = (char *)"",
						  .reason = "too_many_requests"};
	c->network = c->proxy = true;
	g_autofree char *complete = written(&p);
	g_assert_nonnull(strstr(complete, ",\"network\":{\"mode\":\"proxy\"}},\"buildkit_completeness\""));
	provenance_capture_add_untracked(c, &post);
	provenance_capture_add_untracked(other, &many);
	other->incomplete = other->proxy = true;
	provenance_capture_merge(c, other);
	provenance_capture_settle(c);
	p.v02 = true;
	g_autofree char *incomplete = written(&p);
	g_assert_nonnull(strstr(
		incomplete,
		"\"network\":{\"mode\":\"proxy\",\"proxy\":{\"incomplete\":[{\"op\":\"sha256:a\",\"name\":\"x\","
		"\"reason\":\"too_many_requests\"},{\"op\":\"sha256:b\",\"name\":\"make it\",\"method\":\"POST\","
		"\"uri\":\"http://h/\",\"reason\":\"method_not_materializable\"}]}}"));
	g_assert_nonnull(strstr(incomplete, "\"materials\":false"));
}

/* A step of a definition, told with what it needs of a client but not with whose client that was. */
static Pb__Definition *definition_new(char ret_digest[DIGEST_TEXT_SIZE])
{
	g_autoptr(llb_graph) g = llb_graph_new();
	struct llb_meta meta = LLB_META_INIT;
	const char *const attrs[] = {"local.followpaths", "[\"f\"]", "local.session", "s1", "local.unique", "u1", NULL};
	struct llb_out source = llb_source(g, "local://context", attrs, &meta);
	Pb__Definition *pb = llb_marshal(g, source);
	struct digest digest;
	digest_of(pb->def[0].data, pb->def[0].len, &digest);
	g_strlcpy(ret_digest, digest.text, DIGEST_TEXT_SIZE);
	return pb;
}

static void test_max(bool v02, const char *format)
{
	char digest[DIGEST_TEXT_SIZE], last[DIGEST_TEXT_SIZE];
	Pb__Definition *definition = definition_new(digest);
	struct digest of_last;
	digest_of(definition->def[1].data, definition->def[1].len, &of_last);
	g_strlcpy(last, of_last.text, sizeof last);
	g_autoptr(provenance_capture) c = capture_new();
	c->network = true;
	add(c, SOURCE_MATERIAL_LOCAL, "context", NULL);
	struct provenance_predicate p = predicate_of(c);
	g_autoptr(oci_descriptor) layer = oci_descriptor_new(OCI_LAYER_GZIP, &of_last, 7);
	g_autoptr(GPtrArray) chain = g_ptr_array_new(), layers = g_ptr_array_new();
	struct provenance_layers row = {digest, 0, chain};
	g_ptr_array_add(chain, layer);
	g_ptr_array_add(layers, &row);
	p.v02 = v02;
	p.max = true;
	p.reproducible = true;
	p.definition = definition;
	p.layers = layers;
	g_autofree char *got = written(&p);
	bool sorted = strcmp(digest, last) < 0;
	g_autofree char *mapping = sorted ? g_strdup_printf("{\"%s\":\"step0\",\"%s\":\"step1\"}", digest, last)
					  : g_strdup_printf("{\"%s\":\"step1\",\"%s\":\"step0\"}", last, digest);
	g_auto(GStrv) parts = g_strsplit(format, "MAPPING", 2);
	g_autofree char *with_mapping = g_strjoinv(mapping, parts);
	g_auto(GStrv) rest = g_strsplit(with_mapping, "LAYER", 2);
	g_autofree char *want = g_strjoinv(last, rest);
	g_assert_cmpstr(got, ==, want);
	g_assert_null(strstr(got, "password"));
	guard_free(definition);
}

#define ARGS "\"args\":{\"build-arg:A\":\"private\"," SHOWN_ARGS ",\"label:l\":\"v\",\"target\":\"last\"}"
#define IDS                                                                                                            \
	"\"secrets\":[{\"id\":\"token\"}],\"ssh\":[{\"id\":\"default\",\"optional\":true}],\"locals\":[{\"name\":"     \
	"\"context\"}]"
#define LAYERS                                                                                                         \
	"\"layers\":{\"step0:0\":[[{\"mediaType\":\"application/"                                                      \
	"vnd.oci.image.layer.v1.tar+gzip\",\"digest\":\"LAYER\",\"size\":7}]]}"

static void test_max_v1(void)
{
	test_max(false,
		 "{\"buildDefinition\":{\"buildType\":\"https://github.com/moby/buildkit/blob/master/docs/attestations/"
		 "slsa-definitions.md\",\"resolvedDependencies\":" MATERIALS
		 ",\"externalParameters\":{\"configSource\":{" CONFIG_SOURCE
		 ",\"path\":\"Dockerfile\"},\"request\":{\"frontend\":\"dockerfile.v0\"," ARGS "," IDS
		 ",\"compatibilityVersion\":30}},\"internalParameters\":{\"buildConfig\":{\"digestMapping\":MAPPING,"
		 "\"llbDefinition\":[{\"id\":\"step0\",\"op\":{\"Op\":{\"source\":{\"attrs\":{\"local.followpaths\":\"["
		 "\\\"f\\\"]\"},"
		 "\"identifier\":\"local://context\"}},\"constraints\":{}}},{\"id\":\"step1\",\"inputs\":[\"step0:0\"],"
		 "\"op\":{\"Op\":{}}}]},\"builderPlatform\":\"linux/amd64\",\"dockerfileVersion\":\"1.0\"}},"
		 "\"runDetails\":{\"builder\":{\"id\":\"b\"},\"metadata\":{\"invocationId\":\"i\","
		 "\"startedOn\":\"2020-09-13T12:26:40Z\",\"finishedOn\":\"2020-09-13T12:26:40.000000001Z\",\"buildkit_"
		 "metadata\":{" VCS "," LAYERS
		 "},\"buildkit_completeness\":{\"request\":true,\"resolvedDependencies\":false},"
		 "\"buildkit_reproducible\":true}}}");
}

static void test_max_v02(void)
{
	test_max(
		true,
		"{\"builder\":{\"id\":\"b\"},\"buildType\":\"https://mobyproject.org/"
		"buildkit@v1\",\"materials\":" MATERIALS ",\"invocation\":{\"configSource\":{" CONFIG_SOURCE
		",\"entryPoint\":\"Dockerfile\"},\"parameters\":{\"frontend\":\"dockerfile.v0\"," ARGS "," IDS
		",\"compatibilityVersion\":30},\"environment\":{\"dockerfileVersion\":\"1.0\",\"platform\":\"linux/"
		"amd64\"}},"
		"\"buildConfig\":{\"llbDefinition\":[{\"id\":\"step0\",\"op\":{\"Op\":{\"source\":{\"identifier\":"
		"\"local://context\","
		"\"attrs\":{\"local.followpaths\":\"[\\\"f\\\"]\"}}},\"constraints\":{}}},{\"id\":\"step1\",\"op\":{"
		"\"Op\":{}},"
		"\"inputs\":[\"step0:0\"]}],\"digestMapping\":MAPPING},\"metadata\":{\"buildInvocationID\":\"i\","
		"\"buildStartedOn\":\"2020-09-13T12:26:40Z\",\"buildFinishedOn\":\"2020-09-13T12:26:40.000000001Z\","
		"\"completeness\":{\"parameters\":true,\"environment\":true,\"materials\":false},\"reproducible\":true,"
		"\"https://mobyproject.org/buildkit@v1#metadata\":{" VCS "," LAYERS "}}}");
}

/* Whoever asked the frontend is told when that was another request. */
static void test_root(void)
{
	g_autoptr(provenance_capture) c = capture_new();
	g_autoptr(GHashTable) options = options_new();
	struct provenance_predicate p = predicate_of(c);
	c->root = (struct provenance_request){g_strdup("dockerfile.v0"), provenance_args(options)};
	g_autofree char *same = written(&p);
	g_assert_null(strstr(same, "\"root\""));
	g_free(c->root.frontend);
	c->root.frontend = g_strdup("");
	g_autofree char *other = written(&p);
	const char *root = strstr(other, "\"root\":{\"configSource\":{" CONFIG_SOURCE
					 ",\"path\":\"Dockerfile\"},\"request\":{\"args\":");
	g_assert_nonnull(root);
	g_assert_null(strstr(other, "private"));
	g_assert_null(strstr(other, "password"));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/provenance_predicate/min-v1", test_min_v1);
	g_test_add_func("/provenance_predicate/max-v1", test_max_v1);
	g_test_add_func("/provenance_predicate/max-v0.2", test_max_v02);
	g_test_add_func("/provenance_predicate/root", test_root);
	g_test_add_func("/provenance_predicate/proxy", test_proxy);
	return g_test_run();
}
