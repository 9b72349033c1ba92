/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/gateway/wire.h"
#include "api/message.h"
#include <string.h>

static void test_request(void)
{
	Pb__SourceOp op = PB__SOURCE_OP__INIT;
	Pb__Platform platform = PB__PLATFORM__INIT;
	Gateway__ChecksumRequest checksum = GATEWAY__CHECKSUM_REQUEST__INIT;
	Gateway__ResolveSourceHTTPRequest http = GATEWAY__RESOLVE_SOURCE_HTTPREQUEST__INIT;
	Gateway__ResolveSourceMetaRequest m = GATEWAY__RESOLVE_SOURCE_META_REQUEST__INIT;
	struct bridge_source_request r;
	m.source = &op;
	gateway_source_request_read(&m, &r);
	g_assert_true(r.source == &op);
	g_assert_null(r.platform);
	g_assert_null(r.log_name);
	g_assert_cmpstr(r.resolve_mode, ==, "");
	g_assert_false(r.no_config || r.attestations || r.objects || r.checksum.wanted);

	Gateway__ResolveSourceImageRequest image = GATEWAY__RESOLVE_SOURCE_IMAGE_REQUEST__INIT;
	Gateway__ResolveSourceGitRequest git = GATEWAY__RESOLVE_SOURCE_GIT_REQUEST__INIT;
	image.noconfig = image.attestationchain = true;
	git.returnobject = true;
	checksum.algo = (Gateway__ChecksumRequest__ChecksumAlgo)77;
	checksum.suffix = (ProtobufCBinaryData){2, (uint8_t *)"ab"};
	http.checksumrequest = &checksum;
	m.platform = &platform;
	m.logname = (char *)"name";
	m.resolvemode = (char *)"pull";
	m.image = &image;
	m.git = &git;
	m.http = &http;
	gateway_source_request_read(&m, &r);
	g_assert_true(r.platform == &platform);
	g_assert_cmpstr(r.log_name, ==, "name");
	g_assert_cmpstr(r.resolve_mode, ==, "pull");
	g_assert_true(r.no_config && r.attestations && r.objects && r.checksum.wanted);
	g_assert_cmpint(r.checksum.algorithm, ==, 77); /* the builder refuses it */
	g_assert_cmpmem(r.checksum.suffix, r.checksum.suffix_len, "ab", 2);
	g_assert_cmpuint(r.n_predicate_types, ==, 0);

	/* Types of attestations request the chain, too. */
	char *types[] = {(char *)"a", (char *)"b"};
	image.attestationchain = false;
	image.resolveattestations = types;
	image.n_resolveattestations = 2;
	gateway_source_request_read(&m, &r);
	g_assert_true(r.attestations);
	g_assert_cmpuint(r.n_predicate_types, ==, 2);
	g_assert_cmpstr(r.predicate_types[1], ==, "b");
}

/* Only the part of the kind is set. */
static void test_source(void)
{
	Pb__SourceOp op = PB__SOURCE_OP__INIT;
	op.identifier = (char *)"https://example.com/f";
	struct bridge_source s = {.source = &op};
	Gateway__ResolveSourceMetaResponse *m = gateway_source_new(&s);
	g_assert_cmpstr(m->source->identifier, ==, "https://example.com/f");
	g_assert_true(!m->image && !m->git && !m->http);
	guard_free(m);

	s.kind = BRIDGE_SOURCE_HTTP;
	s.http = (struct http_meta){.filename = (char *)"f", .has_modified = true, .modified_s = 0};
	digest_of_text("file", &s.http.checksum);
	m = gateway_source_new(&s);
	g_assert_true(!m->image && !m->git);
	g_assert_cmpstr(m->http->filename, ==, "f");
	g_assert_cmpstr(m->http->checksum, ==, s.http.checksum.text);
	g_assert_nonnull(m->http->lastmodified); /* 1970 is a valid time */
	g_assert_null(m->http->checksumresponse);
	guard_free(m);

	s.checksum = (struct http_checksum){.algorithm = "sha256", .suffix = "x", .suffix_len = 1};
	digest_of_text("both", &s.checksum.digest);
	m = gateway_source_new(&s);
	g_assert_cmpstr(m->http->checksumresponse->digest, ==, s.checksum.digest.text);
	g_assert_cmpmem(m->http->checksumresponse->suffix.data, m->http->checksumresponse->suffix.len, "x", 1);
	guard_free(m);

	g_autoptr(GBytes) bytes = g_bytes_new("{}", 2);
	s.kind = BRIDGE_SOURCE_IMAGE;
	s.image.config = bytes;
	m = gateway_source_new(&s);
	g_assert_true(!m->git && !m->http);
	g_assert_cmpmem(m->image->config.data, m->image->config.len, "{}", 2);
	guard_free(m);

	s.kind = BRIDGE_SOURCE_GIT;
	s.git = (struct git_meta){.ref = (char *)"refs/heads/main",
				  .checksum = (char *)"c",
				  .commit_checksum = (char *)"",
				  .commit_object = bytes};
	m = gateway_source_new(&s);
	g_assert_true(!m->image && !m->http);
	g_assert_cmpstr(m->git->ref, ==, "refs/heads/main");
	g_assert_cmpmem(m->git->commitobject.data, m->git->commitobject.len, "{}", 2);
	g_assert_cmpuint(m->git->tagobject.len, ==, 0);
	guard_free(m);
}

static void test_attestations(void)
{
	Pb__SourceOp op = PB__SOURCE_OP__INIT;
	struct digest root, layer;
	digest_of_text("{}", &root);
	digest_of_text("layer", &layer);
	g_autoptr(GBytes) document = g_bytes_new("{}", 2), bytes = g_bytes_new("layer", 5);
	g_autoptr(oci_descriptor) d = oci_descriptor_new(OCI_INDEX, &root, 2);
	g_autoptr(oci_descriptor) e = oci_descriptor_new("application/vnd.in-toto+json", &layer, -1);
	oci_descriptor_annotate(e, "in-toto.io/predicate-type", "t");
	struct attestation_blob one = {d, document}, two = {e, bytes};
	attestation_chain chain = {.root = root, .image = layer, .attestation = layer, .blobs = g_ptr_array_new()};
	g_ptr_array_add(chain.blobs, &one);
	g_ptr_array_add(chain.blobs, &two);
	struct bridge_source s = {
		.source = &op, .kind = BRIDGE_SOURCE_IMAGE, .image = {.digest = root, .attestations = &chain}};
	Gateway__ResolveSourceMetaResponse *m = gateway_source_new(&s);
	const Gateway__AttestationChain *c = m->image->attestationchain;
	g_assert_cmpstr(m->image->digest, ==, root.text);
	g_assert_cmpuint(m->image->config.len, ==, 0);
	g_assert_cmpstr(c->root, ==, root.text);
	g_assert_cmpstr(c->imagemanifest, ==, layer.text);
	g_assert_cmpstr(c->attestationmanifest, ==, layer.text);
	g_assert_cmpuint(c->n_signaturemanifests, ==, 0);
	g_assert_cmpuint(c->n_blobs, ==, 2);
	g_assert_cmpstr(c->blobs[1]->key, ==, layer.text);
	const Gateway__Blob *blob = c->blobs[1]->value;
	g_assert_cmpmem(blob->data.data, blob->data.len, "layer", 5);
	g_assert_cmpstr(blob->descriptor->media_type, ==, "application/vnd.in-toto+json");
	g_assert_cmpstr(blob->descriptor->digest, ==, layer.text);
	g_assert_cmpint(blob->descriptor->size, ==, 5);
	g_assert_cmpstr(message_map_find(blob->descriptor, annotations, "in-toto.io/predicate-type"), ==, "t");
	guard_free(m);
	chain.signature = root;
	m = gateway_source_new(&s);
	g_assert_cmpuint(m->image->attestationchain->n_signaturemanifests, ==, 1);
	g_assert_cmpstr(m->image->attestationchain->signaturemanifests[0], ==, root.text);
	guard_free(m);
	g_ptr_array_unref(chain.blobs);
}

static void test_stat(void)
{
	const struct fssync_stat stat = {.path = (char *)"dev",
					 .mode = 0600 | FSSYNC_MODE_DEVICE,
					 .uid = 1,
					 .gid = 2,
					 .size = 3,
					 .mtime_ns = 4,
					 .linkname = (char *)"to",
					 .devmajor = 5,
					 .devminor = 6};
	Fsutil__Stat *m = gateway_stat_new(&stat);
	g_assert_cmpstr(m->path, ==, "dev");
	g_assert_cmpuint(m->mode, ==, stat.mode);
	g_assert_cmpuint(m->uid, ==, 1);
	g_assert_cmpuint(m->gid, ==, 2);
	g_assert_cmpint(m->size, ==, 3);
	g_assert_cmpint(m->modtime, ==, 4);
	g_assert_cmpstr(m->linkname, ==, "to");
	g_assert_cmpint(m->devmajor, ==, 5);
	g_assert_cmpint(m->devminor, ==, 6);
	guard_free(m);
}

static void test_worker(void)
{
	g_autoptr(GHashTable) labels = g_hash_table_new(g_str_hash, g_str_equal);
	g_hash_table_insert(labels, (void *)"l", (void *)"v");
	char *filters[] = {(char *)"type==regular", NULL};
	struct platform platforms[] = {{.os = "linux", .architecture = "amd64"},
				       {.os = "linux", .architecture = "arm64"}};
	struct gc_rule rules[] = {{.keep_duration_ns = 7, .reserved_bytes = 8, .filters = filters}, {.all = true}};
	worker w = {.id = (char *)"id", .labels = labels};
	w.platforms = platforms;
	w.n_platforms = G_N_ELEMENTS(platforms);
	w.gc = rules;
	w.n_gc = G_N_ELEMENTS(rules);
	Types__WorkerRecord *m = gateway_worker_record_new(&w);
	g_assert_cmpstr(m->id, ==, "id");
	g_assert_cmpuint(m->n_platforms, ==, 2);
	g_assert_cmpstr(m->platforms[1]->architecture, ==, "arm64");
	g_assert_cmpuint(m->n_gcpolicy, ==, 2);
	g_assert_cmpint(m->gcpolicy[0]->keepduration, ==, 7);
	g_assert_cmpint(m->gcpolicy[0]->reservedspace, ==, 8);
	g_assert_cmpstr(m->gcpolicy[0]->filters[0], ==, "type==regular");
	g_assert_true(m->gcpolicy[1]->all);
	g_assert_cmpuint(m->n_labels, ==, 1);
	g_assert_cmpstr(m->labels[0]->value, ==, "v");
	g_assert_nonnull(m->buildkitversion);
	guard_free(m);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/request", test_request);
	g_test_add_func("/source", test_source);
	g_test_add_func("/attestations", test_attestations);
	g_test_add_func("/stat", test_stat);
	g_test_add_func("/worker", test_worker);
	return g_test_run();
}
