/* SPDX-License-Identifier: Apache-2.0 */
#include "export/archive.h"
#include "base/scope.h"
#include "lib/outcome.h"
#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <string.h>

static bool append(void *data, const void *bytes, size_t n, GError **error)
{
	g_byte_array_append(data, bytes, (guint)n);
	return true;
}

static void layer_free(gpointer data)
{
	struct cache_layer_result *r = data;
	oci_layer_free(r->layer);
	g_free(r);
}

static oci_descriptor *store(blob_store *blobs, const char *type, const char *text, GBytes **ret_bytes)
{
	struct digest digest;
	if (ret_bytes) {
		*ret_bytes = g_bytes_new(text, strlen(text));
		digest_of_text(text, &digest);
	} else {
		assert_succeeds(blob_store_put(blobs, text, strlen(text), &digest, &failure));
	}
	return oci_descriptor_new(type, &digest, (int64_t)strlen(text));
}

static image_tree *tree_new(blob_store *blobs)
{
	image_tree *t = g_new0(image_tree, 1);
	t->manifests = g_ptr_array_new();
	struct image_manifest *m = g_new0(struct image_manifest, 1);
	g_ptr_array_add(t->manifests, m);
	m->descriptor = store(blobs, OCI_MANIFEST, "manifest", &m->bytes);
	m->config = store(blobs, OCI_CONFIG, "config", &m->config_bytes);
	m->layers = g_ptr_array_new_with_free_func(layer_free);
	for (int i = 0; i < 2; i++) { /* a layer that occurs twice is one entry */
		struct cache_layer_result *r = g_new0(struct cache_layer_result, 1);
		r->layer = g_new0(oci_layer, 1);
		r->layer->descriptor = store(blobs, OCI_LAYER, "layer", NULL);
		g_ptr_array_add(m->layers, r);
	}
	t->root = oci_descriptor_copy(m->descriptor);
	oci_descriptor_annotate(t->root, "org.opencontainers.image.created", "2020-01-01T00:00:00Z");
	return t;
}

static void tree_free(image_tree *t)
{
	struct image_manifest *m = g_ptr_array_index(t->manifests, 0);
	oci_descriptor_free(m->descriptor);
	oci_descriptor_free(m->config);
	g_bytes_unref(m->bytes);
	g_bytes_unref(m->config_bytes);
	g_ptr_array_unref(m->layers);
	g_free(m);
	image_tree_free(t);
}

static void test_layout(void)
{
	g_autofree char *directory = g_dir_make_tmp("archive-test-XXXXXX", NULL);
	scoped_fd fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	g_autoptr(blob_store) blobs = blob_store_open(fd, NULL);
	image_tree *tree = tree_new(blobs);
	char *names[] = {(char *)"docker.io/library/foo:bar", NULL};
	struct archive a = {blobs, tree, tree->root, names, true};
	g_autoptr(GByteArray) out = g_byte_array_new();
	GError *error = NULL;
	g_assert_true(archive_write(&a, append, out, NULL, &error));
	g_assert_no_error(error);
	g_assert_cmpuint(out->len % 512, ==, 0);
	static const struct {
		const char *prefix;
		int mode;
		const char *body;
	} rows[] = {
		{"blobs/", 0755, NULL},
		{"blobs/sha256/", 0755, NULL},
		{"blobs/sha256/", 0444, ""},
		{"blobs/sha256/", 0444, ""},
		{"blobs/sha256/", 0444, ""},
		{"index.json", 0644,
		 "{\"schemaVersion\":2,\"mediaType\":\"" OCI_INDEX "\",\"manifests\":[{\"mediaType\":\"" OCI_MANIFEST
		 "\",\"digest\":\"sha256:a9b6fd25ae62cd38c05d91cdb24af45c6ac6f1aa3a1dd4f3b0cc1e3f0d97d6ee\",\"size\":8,"
		 "\"annotations\":{"
		 "\"io.containerd.image.name\":\"docker.io/library/foo:bar\",\"org.opencontainers.image.created\":"
		 "\"2020-01-01T00:00:00Z\",\"org.opencontainers.image.ref.name\":\"bar\"}}]}"},
		{"manifest.json", 0644, "[{\"Config\":\"blobs/sha256/"},
		{"oci-layout", 0444, "{\"imageLayoutVersion\":\"1.0.0\"}"},
	};
	struct archive *r = archive_read_new();
	archive_read_support_format_tar(r);
	g_assert_cmpint(archive_read_open_memory(r, out->data, out->len), ==, ARCHIVE_OK);
	struct archive_entry *e;
	size_t n = 0;
	for (; archive_read_next_header(r, &e) == ARCHIVE_OK; n++) {
		g_assert_cmpuint(n, <, G_N_ELEMENTS(rows));
		g_assert_true(g_str_has_prefix(archive_entry_pathname(e), rows[n].prefix));
		g_assert_cmpint(archive_entry_perm(e), ==, rows[n].mode);
		g_assert_cmpint(archive_entry_mtime(e), ==, 0);
		char body[1024] = "";
		archive_read_data(r, body, sizeof body - 1);
		struct digest digest;
		digest_of_text("manifest", &digest);
		char *at = strstr(body, digest.text);
		if (at && rows[n].body && strstr(rows[n].body, "schemaVersion")) /* placeholder in the golden text */
			memcpy(at, strstr(rows[n].body, "sha256:"), strlen(digest.text));
		if (rows[n].body)
			g_assert_true(g_str_has_prefix(body, rows[n].body));
	}
	g_assert_cmpuint(n, ==, G_N_ELEMENTS(rows));
	archive_read_free(r);
	g_assert_cmpmem(out->data + 257, 8, "ustar\00000", 8);
	tree_free(tree);
	char *argv[] = {(char *)"rm", (char *)"-rf", directory, NULL};
	g_spawn_sync(NULL, argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL, NULL);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/archive/layout", test_layout);
	return g_test_run();
}
