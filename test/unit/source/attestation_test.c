/* SPDX-License-Identifier: Apache-2.0 */
#include "source/source.h"
#include "base/limits.h"
#include "lib/cache_rig.h"
#include "lib/http_server.h"

#define BUNDLE "application/vnd.dev.sigstore.bundle.v0.3+json"
#define COSIGN "application/vnd.dev.cosign.artifact.sig.v1+json"
#define IN_TOTO "application/vnd.in-toto+json"
#define SLSA1 "https://slsa.dev/provenance/v1"

/* A registry with one repository. The fallback tag of referrers is a manifest by that name. */
struct fixture {
	struct rig rig;
	struct server *server;
	registry *registry;
	struct source_context context;
	GHashTable *documents; /* path below /v2/r/, or tag, to char * */
	int referrers_status;  /* of requests without a document */
};

static void serve(struct server *s, const struct server_request *q, struct server_reply *r, void *data)
{
	struct fixture *x = data;
	const char *name = g_str_has_prefix(q->path, "/v2/r/") ? q->path + strlen("/v2/r/") : "";
	const char *text = g_hash_table_lookup(x->documents, name);
	if (!text) {
		http_server_reply_text(r, g_str_has_prefix(name, "referrers/") ? x->referrers_status : 404, "{}");
		return;
	}
	bool is_manifest = strstr(text, "\"layers\"") != NULL;
	struct digest digest;
	digest_of_text(text, &digest);
	http_server_reply_header(r, "Content-Type", is_manifest ? OCI_MANIFEST : OCI_INDEX);
	http_server_reply_header(r, "Docker-Content-Digest", digest.text);
	http_server_reply_text(r, 200, text);
}

static void set_up(struct fixture *x, gconstpointer path)
{
	rig_set_up(&x->rig, "native");
	x->documents = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	x->server = http_server_start(serve, x);
	x->referrers_status = 404;
	x->registry = registry_new(&(struct registry_config){.user_agent = "test"});
	x->context = (struct source_context){.cache = x->rig.c, .blobs = x->rig.blobs, .registry = x->registry};
}

static void tear_down(struct fixture *x, gconstpointer path)
{
	registry_free(x->registry);
	http_server_stop(x->server);
	g_hash_table_unref(x->documents);
	rig_tear_down(&x->rig, NULL);
}

/* Stores a document by its digest. Returns {"mediaType":...,"digest":...,"size":...MORE}. Owned. */
static char *put(struct fixture *x, const char *kind, const char *media_type, const char *text, const char *more)
{
	struct digest d;
	digest_of_text(text, &d);
	g_hash_table_replace(x->documents, g_strdup_printf("%s/%s", kind, d.text), g_strdup(text));
	return g_strdup_printf("{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%zu%s}", media_type, d.text,
			       strlen(text), more);
}

static char *put_manifest(struct fixture *x, const char *layers, const char *more)
{
	static const char config[] = "{\"mediaType\":\"" OCI_EMPTY "\",\"size\":2,\"digest\":\"sha256:"
				     "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\"}";
	g_autofree char *text = g_strdup_printf("{\"schemaVersion\":2,\"mediaType\":\"" OCI_MANIFEST
						"\",\"config\":%s,\"layers\":[%s]}",
						config, layers);
	return put(x, "manifests", OCI_MANIFEST, text, more);
}

static char *digest_in(const char *descriptor)
{
	const char *at = strstr(descriptor, "sha256:");
	return g_strndup(at, strlen("sha256:") + 64);
}

static void put_index(struct fixture *x, const char *name, const char *manifests, const char *more)
{
	g_hash_table_replace(x->documents, g_strdup(name),
			     g_strdup_printf("{\"schemaVersion\":2,\"mediaType\":\"" OCI_INDEX
					     "\",\"manifests\":[%s]%s}",
					     manifests, more));
}

/* Returns the digests of the chain and the number of blobs: "root image attestation signature N", or "!error". */
static char *resolve(struct fixture *x, const char *const *types, size_t n_types, attestation_chain **ret)
{
	g_autofree char *name = g_strdup_printf("%s/r:latest", x->server->address);
	struct platform platform;
	struct work work = {0};
	struct image_meta meta;
	g_autoptr(GError) error = NULL;
	g_assert_true(platform_parse("linux/amd64", &platform, &error));
	struct image_query q = {.platform = &platform,
				.no_config = true,
				.attestations = true,
				.predicate_types = types,
				.n_predicate_types = n_types};
	if (!source_image_resolve(&x->context, name, &q, &work, &meta, &error))
		return g_strconcat("!", error->message, NULL);
	g_assert_null(meta.config);
	attestation_chain *c = meta.attestations;
	g_assert_nonnull(c);
	g_assert_true(digest_equal(&c->root, &meta.digest));
	char *text =
		g_strdup_printf("%s %s %s %u", c->image.text, c->attestation.text, c->signature.text, c->blobs->len);
	if (ret)
		*ret = c;
	else
		attestation_chain_free(c);
	return text;
}

static void expect(struct fixture *x, const char *want)
{
	g_autofree char *got = resolve(x, NULL, 0, NULL);
	g_assert_cmpstr(got, ==, want);
}

struct image {
	char *manifest, *attestation, *layer; /* descriptors */
	char *image_digest, *attestation_digest;
};

static void put_image(struct fixture *x, struct image *ret)
{
	ret->manifest = put_manifest(x, "", ",\"platform\":{\"os\":\"linux\",\"architecture\":\"amd64\"}");
	ret->image_digest = digest_in(ret->manifest);
	ret->layer = put(x, "blobs", IN_TOTO, "{\"statement\":1}",
			 ",\"annotations\":{\"in-toto.io/predicate-type\":\"" SLSA1 "\"}");
	g_autofree char *sbom = put(x, "blobs", IN_TOTO, "{\"statement\":2}",
				    ",\"annotations\":{\"in-toto.io/predicate-type\":\"https://spdx.dev/Document\"}");
	g_autofree char *layers = g_strconcat(ret->layer, ",", sbom, NULL);
	g_autofree char *more =
		g_strdup_printf(",\"platform\":{\"os\":\"unknown\",\"architecture\":\"unknown\"},"
				"\"annotations\":{\"vnd.docker.reference.type\":\"attestation-manifest\","
				"\"vnd.docker.reference.digest\":\"%s\"}",
				ret->image_digest);
	ret->attestation = put_manifest(x, layers, more);
	ret->attestation_digest = digest_in(ret->attestation);
	g_autofree char *both = g_strconcat(ret->manifest, ",", ret->attestation, NULL);
	put_index(x, "manifests/latest", both, "");
	/* The root is also requested by its digest. */
	const char *root = g_hash_table_lookup(x->documents, "manifests/latest");
	g_autofree char *ignored = put(x, "manifests", OCI_INDEX, root, "");
}

static void image_clear(struct image *i)
{
	g_free(i->manifest);
	g_free(i->attestation);
	g_free(i->layer);
	g_free(i->image_digest);
	g_free(i->attestation_digest);
}

static void test_chain(struct fixture *x, gconstpointer path)
{
	struct image i;
	put_image(x, &i);
	g_autofree char *plain = g_strdup_printf("%s %s  2", i.image_digest, i.attestation_digest);
	expect(x, plain);
	/* Attestations of the requested types; the empty type is none. */
	static const char *const types[] = {"", SLSA1, SLSA1, "https://other"};
	attestation_chain *c = NULL;
	g_autofree char *with_type = resolve(x, types, 4, &c);
	g_autofree char *want = g_strdup_printf("%s %s  3", i.image_digest, i.attestation_digest);
	g_assert_cmpstr(with_type, ==, want);
	const struct attestation_blob *b = c->blobs->pdata[2];
	g_assert_cmpmem(g_bytes_get_data(b->bytes, NULL), g_bytes_get_size(b->bytes), "{\"statement\":1}", 15);
	g_assert_cmpstr(b->descriptor->media_type, ==, IN_TOTO);
	g_assert_cmpstr(oci_descriptor_annotation(b->descriptor, "in-toto.io/predicate-type"), ==, SLSA1);
	attestation_chain_free(c);
	image_clear(&i);
}

/* Sigstore bundles come before cosign signatures; other referrers are ignored. */
static void test_signature(struct fixture *x, gconstpointer path)
{
	struct image i;
	bool fallback = path != NULL;
	put_image(x, &i);
	g_autofree char *bundle_layer = put(x, "blobs", BUNDLE, "{\"bundle\":1}", "");
	g_autofree char *bundle = put_manifest(x, bundle_layer, ",\"artifactType\":\"" BUNDLE "\"");
	g_autofree char *cosign_layer = put(x, "blobs", COSIGN, "{\"cosign\":1}", "");
	g_autofree char *cosign = put_manifest(x, cosign_layer, ",\"artifactType\":\"" COSIGN "\"");
	g_autofree char *other = put_manifest(x, i.layer, ",\"artifactType\":\"text/plain\"");
	g_autofree char *all = g_strconcat(other, ",", cosign, ",", bundle, NULL);
	g_autofree char *some = g_strconcat(other, ",", cosign, NULL);
	g_autofree char *tag = g_strdelimit(g_strdup(i.attestation_digest), ":", '-');
	g_autofree char *name =
		fallback ? g_strconcat("manifests/", tag, NULL) : g_strconcat("referrers/", i.attestation_digest, NULL);
	g_autofree char *bundle_digest = digest_in(bundle), *cosign_digest = digest_in(cosign);
	const struct {
		const char *list, *signature;
		unsigned n;
	} cases[] = {{all, bundle_digest, 4}, {some, cosign_digest, 4}, {other, "", 2}, {"", "", 2}};
	for (size_t n = 0; n < G_N_ELEMENTS(cases); n++) {
		put_index(x, name, cases[n].list, "");
		g_autofree char *want = g_strdup_printf("%s %s %s %u", i.image_digest, i.attestation_digest,
							cases[n].signature, cases[n].n);
		expect(x, want);
	}
	image_clear(&i);
}

static void test_garbage(struct fixture *x, gconstpointer path)
{
	struct image i;
	put_image(x, &i);
	g_autofree char *referrers = g_strconcat("referrers/", i.attestation_digest, NULL);
	g_autofree char *failed = g_strconcat("!fetching referrers for attestation manifest ", i.attestation_digest,
					      ": failed to decode referrers index: ", NULL);
	static const char *const lists[] = {"", "[]", "{\"manifests\":1}", "{\"manifests\":[{\"digest\":\"x\"}]}",
					    "{\"layers\":[],\"manifests\":[]}"};
	for (size_t n = 0; n < G_N_ELEMENTS(lists); n++) {
		g_hash_table_replace(x->documents, g_strdup(referrers), g_strdup(lists[n]));
		g_autofree char *got = resolve(x, NULL, 0, NULL);
		g_assert_true(g_str_has_prefix(got, failed));
	}
	/* A signature manifest that is none, one with another content, one of another size, and one that is missing. */
	static const char artifact[] = ",\"artifactType\":\"" BUNDLE "\"";
	g_autofree char *none = put(x, "manifests", OCI_MANIFEST, "{\"layers\":[]}", artifact);
	g_autofree char *none_digest = digest_in(none);
	put_index(x, referrers, none, "");
	g_autofree char *none_want =
		g_strdup_printf("!unmarshaling manifest %s: invalid manifest config: ", none_digest);
	g_autofree char *none_got = resolve(x, NULL, 0, NULL);
	g_assert_true(g_str_has_prefix(none_got, none_want));

	g_autofree char *changed = put(x, "manifests", OCI_MANIFEST, "{\"layers\":[1]}", artifact);
	g_autofree char *changed_digest = digest_in(changed);
	g_hash_table_replace(x->documents, g_strconcat("manifests/", changed_digest, NULL),
			     g_strdup("{\"layers\":[2]}"));
	put_index(x, referrers, changed, "");
	g_autofree char *changed_got = resolve(x, NULL, 0, NULL);
	g_assert_nonnull(strstr(changed_got, "unexpected commit digest"));

	g_autofree char *missing = g_strdup_printf("{\"mediaType\":\"" OCI_MANIFEST "\",\"digest\":\"sha256:%064d\","
						   "\"size\":1%s}",
						   0, artifact);
	put_index(x, referrers, missing, "");
	g_autofree char *missing_got = resolve(x, NULL, 0, NULL);
	g_assert_true(g_str_has_prefix(missing_got, "!reading blob sha256:0000"));

	g_autofree char *huge_layer = g_strdup_printf("{\"mediaType\":\"" BUNDLE "\",\"digest\":\"sha256:%064d\","
						      "\"size\":%lld}",
						      1, LIMIT_ATTESTATION_CHAIN_BYTES);
	g_autofree char *huge = put_manifest(x, huge_layer, artifact);
	put_index(x, referrers, huge, "");
	g_autofree char *huge_got = resolve(x, NULL, 0, NULL);
	g_assert_nonnull(strstr(huge_got, "bytes is larger than"));
	image_clear(&i);
}

static void test_none(struct fixture *x, gconstpointer path)
{
	struct image i;
	put_image(x, &i);
	/* An index without attestations: its own document only. */
	put_index(x, "manifests/latest", i.manifest, "");
	g_autofree char *ignored =
		put(x, "manifests", OCI_INDEX, g_hash_table_lookup(x->documents, "manifests/latest"), "");
	g_autofree char *want = g_strdup_printf("%s   1", i.image_digest);
	expect(x, want);
	/* Another platform only. */
	g_autofree char *arm = put_manifest(x, i.layer, ",\"platform\":{\"os\":\"linux\",\"architecture\":\"arm64\"}");
	put_index(x, "manifests/latest", arm, "");
	g_autofree char *ignored_too =
		put(x, "manifests", OCI_INDEX, g_hash_table_lookup(x->documents, "manifests/latest"), "");
	expect(x,
	       "!resolving image manifest for platform linux/amd64: no manifest for platform linux/amd64: not found");
	/* A manifest is not an index. */
	g_autofree char *path_of = digest_in(i.manifest);
	g_autofree char *key = g_strconcat("manifests/", path_of, NULL);
	g_hash_table_replace(x->documents, g_strdup("manifests/latest"),
			     g_strdup(g_hash_table_lookup(x->documents, key)));
	expect(x, "   1");
	image_clear(&i);
}

/* Docker Hardened Images: the attestation refers to the image and is found by the registry. */
static void test_hardened(struct fixture *x, gconstpointer path)
{
	g_autofree char *manifest = put_manifest(x, "",
						 ",\"platform\":{\"os\":\"linux\",\"architecture\":\"amd64\"},"
						 "\"annotations\":{\"com.docker.dhi.build.id\":\"1\"}");
	g_autofree char *digest = digest_in(manifest);
	put_index(x, "manifests/latest", manifest, ",\"annotations\":{\"org.opencontainers.image.title\":\"dhi/x\"}");
	g_autofree char *ignored =
		put(x, "manifests", OCI_INDEX, g_hash_table_lookup(x->documents, "manifests/latest"), "");
	g_autofree char *failed = g_strconcat("!no attestation referrers found for DHI manifest ", digest, NULL);
	expect(x, failed);
	g_autofree char *layer = put(x, "blobs", IN_TOTO, "{\"statement\":1}", "");
	g_autofree char *attestation = put_manifest(x, layer,
						    ",\"artifactType\":\"" IN_TOTO
						    "\",\"annotations\":{\"in-toto.io/predicate-type\":\"" SLSA1 "\"}");
	g_autofree char *referrers = g_strconcat("referrers/", digest, NULL);
	put_index(x, referrers, attestation, "");
	g_autofree char *attestation_digest = digest_in(attestation);
	g_autofree char *want = g_strdup_printf("%s %s  2", digest, attestation_digest);
	expect(x, want);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add("/attestation/chain", struct fixture, NULL, set_up, test_chain, tear_down);
	g_test_add("/attestation/signature", struct fixture, NULL, set_up, test_signature, tear_down);
	g_test_add("/attestation/signature-tag", struct fixture, "tag", set_up, test_signature, tear_down);
	g_test_add("/attestation/garbage", struct fixture, NULL, set_up, test_garbage, tear_down);
	g_test_add("/attestation/none", struct fixture, NULL, set_up, test_none, tear_down);
	g_test_add("/attestation/hardened", struct fixture, NULL, set_up, test_hardened, tear_down);
	return g_test_run();
}
