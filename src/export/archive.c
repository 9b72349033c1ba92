/* SPDX-License-Identifier: Apache-2.0 */
#include "export/archive.h"
#include "base/limits.h"
#include "base/scope.h"
#include "format/json_writer.h"
#include "format/tar.h"
#include <string.h>

#define COPY_BYTES MIB(1)
#define LAYOUT_FILE "{\"imageLayoutVersion\":\"1.0.0\"}"

/* ---- entries */

struct entry {
	char *name; /* owned */
	unsigned mode;
	GBytes *bytes;      /* counted; or a document: */
	struct digest blob; /* in the blob store */
	int64_t size;
	bool is_directory;
};

static void entry_free(gpointer data)
{
	struct entry *e = data;
	g_free(e->name);
	g_clear_pointer(&e->bytes, g_bytes_unref);
	g_free(e);
}

static struct entry *entry_add(GPtrArray *list, const char *name, unsigned mode)
{
	struct entry *e = g_new0(struct entry, 1);
	e->name = g_strdup(name);
	e->mode = mode;
	g_ptr_array_add(list, e);
	return e;
}

static void text_add(GPtrArray *list, const char *name, unsigned mode, const char *text, size_t n)
{
	struct entry *e = entry_add(list, name, mode);
	e->bytes = g_bytes_new(text, n);
	e->size = (int64_t)n;
}

static void blob_add(GPtrArray *list, const oci_descriptor *d, GBytes *bytes)
{
	g_autofree char *name = digest_blob_path(&d->digest);
	struct entry *e = entry_add(list, name, 0444);
	e->blob = d->digest;
	e->bytes = bytes ? g_bytes_ref(bytes) : NULL;
	e->size = d->size;
}

static void directory_add(GPtrArray *list, const char *name)
{
	entry_add(list, name, 0755)->is_directory = true;
}

/* ---- documents */

static void named_write(json_writer *w, const oci_descriptor *root, const char *name)
{
	g_autoptr(oci_descriptor) d = oci_descriptor_copy(root);
	g_autoptr(reference) r = name ? reference_parse_normalized(name, NULL) : NULL;
	if (r) {
		oci_descriptor_annotate(d, "io.containerd.image.name", name);
		const char *tag = r->tag ? r->tag : r->digest ? r->digest : "latest";
		oci_descriptor_annotate(d, "org.opencontainers.image.ref.name", tag);
	}
	oci_descriptor_write(w, d);
}

static char *index_text(const struct archive *a, size_t *ret_len)
{
	json_writer *w = json_writer_new(0);
	json_object_begin(w);
	json_put_int_member(w, "schemaVersion", 2);
	json_put_string_member(w, "mediaType", OCI_INDEX);
	json_array_member_begin(w, "manifests");
	if (!a->names || !a->names[0])
		named_write(w, a->root, NULL);
	for (char *const *name = a->names; name && *name; name++)
		named_write(w, a->root, *name);
	json_array_end(w);
	json_object_end(w);
	return json_writer_take(&w, ret_len);
}

static void docker_names_write(json_writer *w, char *const *names)
{
	if (!names || !names[0]) {
		json_put_null(w);
		return;
	}
	json_array_begin(w);
	for (; *names; names++) {
		g_autoptr(reference) r = reference_parse_normalized(*names, NULL);
		g_autofree char *text = r ? reference_familiar(r) : g_strdup(*names);
		json_put_string(w, text);
	}
	json_array_end(w);
}

static char *docker_text(const struct archive *a, size_t *ret_len)
{
	json_writer *w = json_writer_new(0);
	json_array_begin(w);
	for (guint i = 0; i < a->tree->manifests->len; i++) {
		const struct image_manifest *m = g_ptr_array_index(a->tree->manifests, i);
		g_autofree char *config = digest_blob_path(&m->config->digest);
		json_object_begin(w);
		json_put_string_member(w, "Config", config);
		json_key(w, "RepoTags");
		docker_names_write(w, a->names);
		json_key(w, "Layers");
		if (m->layers->len == 0) {
			json_put_null(w);
		} else {
			json_array_begin(w);
			for (guint k = 0; k < m->layers->len; k++) {
				const struct cache_layer_result *r = g_ptr_array_index(m->layers, k);
				g_autofree char *path = digest_blob_path(&r->layer->descriptor->digest);
				json_put_string(w, path);
			}
			json_array_end(w);
		}
		json_object_end(w);
	}
	json_array_end(w);
	return json_writer_take(&w, ret_len);
}

/* ---- archive */

static int entry_compare(gconstpointer a, gconstpointer b)
{
	return strcmp((*(const struct entry *const *)a)->name, (*(const struct entry *const *)b)->name);
}

static GPtrArray *entries(const struct archive *a)
{
	GPtrArray *list = g_ptr_array_new_with_free_func(entry_free);
	g_autoptr(GHashTable) algorithms = g_hash_table_new(g_str_hash, g_str_equal);
	text_add(list, "oci-layout", 0444, LAYOUT_FILE, strlen(LAYOUT_FILE));
	directory_add(list, "blobs/");
	size_t n;
	g_autofree char *index = index_text(a, &n);
	text_add(list, "index.json", 0644, index, n);
	/* For a single image only: an index describes its images itself. */
	if (a->docker && !a->tree->index_bytes) {
		g_autofree char *docker = docker_text(a, &n);
		text_add(list, "manifest.json", 0644, docker, n);
	}
	if (a->tree->index_bytes)
		blob_add(list, a->tree->root, a->tree->index_bytes);
	for (guint i = 0; i < a->tree->manifests->len; i++) {
		const struct image_manifest *m = g_ptr_array_index(a->tree->manifests, i);
		blob_add(list, m->descriptor, m->bytes);
		blob_add(list, m->config, m->config_bytes);
		for (guint k = 0; m->statements && k < m->statements->len; k++) {
			const struct image_document *d = g_ptr_array_index(m->statements, k);
			blob_add(list, d->descriptor, d->bytes);
		}
		for (guint k = 0; k < m->layers->len; k++)
			blob_add(list,
				 ((struct cache_layer_result *)g_ptr_array_index(m->layers, k))->layer->descriptor,
				 NULL);
	}
	for (guint i = 0, count = list->len; i < count; i++) {
		const struct entry *e = g_ptr_array_index(list, i);
		g_autofree char *algorithm = g_strndup(e->blob.text, strcspn(e->blob.text, ":"));
		const char *known = g_intern_string(algorithm); /* one of the three digest algorithms */
		if (*known && g_hash_table_add(algorithms, (gpointer)known)) {
			g_autofree char *name = g_strconcat("blobs/", known, "/", NULL);
			directory_add(list, name);
		}
	}
	g_ptr_array_sort(list, entry_compare);
	return list;
}

static bool blob_copy(const struct archive *a, const struct entry *e, tar_writer *w, cancel *c, GError **error)
{
	GError *why = NULL;
	scoped_fd fd = blob_store_find_verified(a->blobs, &e->blob, &why);
	if (fd < 0) {
		if (why)
			g_propagate_error(error, why);
		else
			error_set(error, ERROR_NOT_FOUND, "blob %s: not found", e->blob.text);
		return false;
	}
	g_autofree char *buffer = g_malloc(COPY_BYTES);
	for (int64_t done = 0; done < e->size;) {
		if (!cancel_check(c, error))
			return false;
		ssize_t n = TEMP_FAILURE_RETRY(pread(fd, buffer, (size_t)MIN(COPY_BYTES, e->size - done), done));
		if (n <= 0)
			return error_set_errno(error, n < 0 ? errno : EIO, "read blob %s", e->blob.text);
		if (!tar_writer_data(w, buffer, (size_t)n, error))
			return false;
		done += n;
	}
	return true;
}

static bool entry_write(const struct archive *a, const struct entry *e, tar_writer *w, cancel *c, GError **error)
{
	struct tar_entry header = {
		.name = e->name, .mode = e->mode, .type = e->is_directory ? '5' : '0', .size = e->size};
	if (!tar_writer_entry(w, &header, error))
		return false;
	if (e->is_directory)
		return true;
	return e->bytes ? tar_writer_data(w, g_bytes_get_data(e->bytes, NULL), g_bytes_get_size(e->bytes), error)
			: blob_copy(a, e, w, c, error);
}

bool archive_write(const struct archive *a, bytes_sink_fn sink, void *data, cancel *c, GError **error)
{
	g_autoptr(GPtrArray) list = entries(a);
	g_autoptr(tar_writer) w = tar_writer_new(sink, data);
	const char *previous = "";
	for (guint i = 0; i < list->len; i++) {
		const struct entry *e = g_ptr_array_index(list, i);
		if (g_str_equal(e->name, previous)) /* several manifests may contain the same blob */
			continue;
		previous = e->name;
		if (!entry_write(a, e, w, c, error))
			return false;
	}
	return tar_writer_finish(w, error);
}
