/* SPDX-License-Identifier: Apache-2.0 */
/* index.json of an OCI layout: names, replacement, removal of blobs that nothing references. */
#include "client/layout_index.h"
#include "lib/outcome.h"
#include "lib/tree_dir.h"
#include "oci/oci.h"

#define A "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

struct fixture {
	char *path;
	int fd;
};

static void setup(struct fixture *f, gconstpointer data)
{
	f->path = tree_dir_new(&f->fd);
}

static void teardown(struct fixture *f, gconstpointer data)
{
	g_assert_cmpint(faccessat(f->fd, "index.json.lock", F_OK, 0), ==, -1); /* the lock is gone */
	tree_dir_free(f->path, f->fd);
}

static void put(struct fixture *f, const char *digest_text, const char *name, bool is_tag)
{
	g_autoptr(GError) error = NULL;
	struct digest digest;
	assert_succeeds(digest_parse(digest_text, &digest, &failure));
	g_autoptr(oci_descriptor) d = oci_descriptor_new(OCI_MANIFEST, &digest, 7);
	g_assert_true(layout_index_put(f->path, d, &(struct layout_name){name, is_tag}, 1, &error));
	g_assert_no_error(error);
}

/* The digest that has the tag; NULL: none. */
static char *find(struct fixture *f, const char *tag)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(oci_descriptor) d = NULL;
	g_assert_true(layout_index_find(f->path, tag, &d, &error));
	g_assert_no_error(error);
	return d ? g_strdup(d->digest.text) : NULL;
}

static void expect(struct fixture *f, const char *tag, const char *digest)
{
	g_autofree char *found = find(f, tag);
	g_assert_cmpstr(found, ==, digest);
}

static void test_names(struct fixture *f, gconstpointer data)
{
	put(f, A, "latest", true);
	g_autofree char *layout = tree_dir_read(f->fd, "oci-layout"), *index = tree_dir_read(f->fd, "index.json");
	g_assert_cmpstr(layout, ==, "{\"imageLayoutVersion\":\"1.0.0\"}");
	g_assert_cmpstr(index, ==,
			"{\"schemaVersion\":2,\"mediaType\":\"" OCI_INDEX
			"\",\"manifests\":[{\"mediaType\":\"" OCI_MANIFEST "\",\"digest\":\"" A
			"\",\"size\":7,\"annotations\":{\"org.opencontainers.image.ref.name\":\"latest\"}}]}");
	expect(f, "latest", A);
	expect(f, "other", NULL);
	put(f, B, "latest", true); /* replaces */
	expect(f, "latest", B);
	put(f, A, "docker.io/library/a:1", false); /* a name, whose tag is stored, too */
	expect(f, "docker.io/library/a:1", A);
	expect(f, "1", A);
	put(f, A, "docker.io/library/b:latest", false); /* beside the tag of a cache */
	expect(f, "docker.io/library/b:latest", A);
	expect(f, "latest", B);
	put(f, B, "docker.io/library/b:latest", false);
	expect(f, "docker.io/library/b:latest", B);
	put(f, A, "not a reference", false);
	expect(f, "not a reference", A);
}

static void expect_error(struct fixture *f, GError **error, enum error_code code, const char *before, const char *after)
{
	g_autofree char *expected = g_strdup_printf("could not %s %s/index.json: %s", before, f->path, after);
	g_assert_nonnull(*error);
	g_assert_cmpstr((*error)->message, ==, expected);
	g_assert_cmpint(error_get_code(*error), ==, code);
	g_clear_error(error);
}

static void test_refused(struct fixture *f, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(oci_descriptor) d = NULL;
	g_assert_false(layout_index_find(f->path, "x", &d, &error));
	g_autofree char *open_failed = g_strdup_printf("open %s/index.json: no such file or directory", f->path);
	expect_error(f, &error, ERROR_NOT_FOUND, "read", open_failed);
	tree_dir_write(f->fd, "index.json", "[]");
	g_assert_false(layout_index_find(f->path, "x", &d, &error));
	expect_error(f, &error, ERROR_INVALID_ARGUMENT, "unmarshal", "invalid index: not an object");
	g_assert_false(layout_index_find("/no/such/directory", "x", &d, &error));
	g_assert_cmpstr(
		error->message, ==,
		"could not lock /no/such/directory/index.json.lock: open /no/such/directory/index.json.lock: no "
		"such file or directory");
	/* A file that a client left empty is an empty index. */
	tree_dir_write(f->fd, "index.json", "");
	put(f, A, "latest", true);
	expect(f, "latest", A);
}

/* Stores a blob; returns its digest. */
static struct digest blob(struct fixture *f, const char *text)
{
	struct digest digest;
	digest_of_text(text, &digest);
	g_autofree char *name = g_strdup_printf("blobs/sha256/%s", digest_hex(&digest));
	tree_dir_write(f->fd, name, text);
	return digest;
}

static bool has(struct fixture *f, const struct digest *digest)
{
	g_autofree char *name = g_strdup_printf("blobs/sha256/%s", digest_hex(digest));
	return faccessat(f->fd, name, F_OK, 0) == 0;
}

static void test_sweep(struct fixture *f, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	g_assert_cmpint(mkdirat(f->fd, "blobs", 0755), ==, 0);
	g_assert_cmpint(mkdirat(f->fd, "blobs/sha256", 0755), ==, 0);
	struct digest config = blob(f, "{}"), layer = blob(f, "layer"), rest = blob(f, "rest");
	g_autofree char *manifest_text = g_strdup_printf(
		"{\"schemaVersion\":2,\"mediaType\":\"" OCI_MANIFEST "\",\"config\":{\"mediaType\":\"" OCI_CONFIG
		"\",\"digest\":\"%s\",\"size\":2},\"layers\":[{\"mediaType\":\"" OCI_LAYER_GZIP
		"\",\"digest\":\"%s\",\"size\":5}]}",
		config.text, layer.text);
	struct digest manifest = blob(f, manifest_text);
	g_autofree char *index_text = g_strdup_printf("{\"schemaVersion\":2,\"mediaType\":\"" OCI_INDEX
						      "\",\"manifests\":[{\"mediaType\":\"" OCI_MANIFEST
						      "\",\"digest\":\"%s\",\"size\":%zu}]}",
						      manifest.text, strlen(manifest_text));
	struct digest index = blob(f, index_text);
	tree_dir_write(f->fd, "blobs/sha256/README", "no digest");
	g_autoptr(oci_descriptor) d = oci_descriptor_new(OCI_INDEX, &index, (int64_t)strlen(index_text));
	g_assert_true(layout_index_put(f->path, d, &(struct layout_name){"latest", true}, 1, &error));
	g_assert_true(layout_index_sweep(f->path, &error));
	g_assert_no_error(error);
	g_assert_true(has(f, &index) && has(f, &manifest) && has(f, &config) && has(f, &layer));
	g_assert_false(has(f, &rest));
	g_assert_cmpint(faccessat(f->fd, "blobs/sha256/README", F_OK, 0), ==, 0);
	put(f, manifest.text, "latest", true); /* the index has no name now */
	g_assert_true(layout_index_sweep(f->path, &error));
	g_assert_false(has(f, &index));
	g_assert_true(has(f, &manifest) && has(f, &config) && has(f, &layer));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add("/layout_index/names", struct fixture, NULL, setup, test_names, teardown);
	g_test_add("/layout_index/refused", struct fixture, NULL, setup, test_refused, teardown);
	g_test_add("/layout_index/sweep", struct fixture, NULL, setup, test_sweep, teardown);
	return g_test_run();
}
