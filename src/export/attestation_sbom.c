/* SPDX-License-Identifier: Apache-2.0 */
#include "export/attestation_sbom.h"
#include "base/limits.h"
#include "base/scope.h"
#include "base/version.h"
#include "format/json_text.h"
#include "format/json_writer.h"
#include "format/tar.h"
#include "oci/layer_writer.h"
#include <string.h>
#include <unistd.h>

#define COPY_BYTES MIB(1)
#define CREATOR "Tool: buildkit-" BUILDKIT_VERSION

static const char *const versions[] = {"SPDX-2.1", "SPDX-2.2", "SPDX-2.3", NULL};

/* ---- the document */

struct document {
	struct json_slice files, creation; /* .start NULL: none */
};

/* False: not an SPDX document, or ambiguous. */
static bool document_read(const char *json, size_t n, struct document *ret)
{
	*ret = (struct document){0};
	struct json_walk w;
	unsigned found = 0;
	g_autofree char *version = NULL;
	if (*json != '{' || !json_walk_begin(&w, json, n))
		return false;
	while (json_walk_next(&w)) {
		bool is_files = json_slice_is(w.key, "files", false);
		bool is_creation = json_slice_is(w.key, "creationInfo", false);
		bool is_version = json_slice_is(w.key, "spdxVersion", false);
		unsigned bit = is_files ? 1 : is_creation ? 2 : is_version ? 4 : 0;
		if (found & bit)
			return false;
		found |= bit;
		if (is_files)
			ret->files = w.value;
		else if (is_creation)
			ret->creation = w.value;
		else if (is_version)
			version = json_slice_string(w.value);
	}
	return version && g_strv_contains(versions, version);
}

struct file {
	char *path;             /* owned; absolute and clean; NULL: no name */
	bool has_comment;       /* with a text */
	struct json_slice null; /* an empty comment with its name, to be replaced; .start NULL: none */
};

static char *clean_path(const char *name)
{
	g_autofree char *absolute = g_strconcat("/", name + strspn(name, "/"), NULL); /* "//" has another meaning */
	return g_canonicalize_filename(absolute, "/");
}

static struct file file_read(struct json_slice json)
{
	struct file f = {0};
	struct json_walk w;
	if (*json.start != '{' || !json_walk_begin(&w, json.start, json.n))
		return f;
	while (json_walk_next(&w)) {
		bool is_name = json_slice_is(w.key, "fileName", false),
		     is_comment = json_slice_is(w.key, "comment", false);
		g_autofree char *text = is_name || is_comment ? json_slice_string(w.value) : NULL;
		if (is_name && text) {
			g_free(f.path);
			f.path = *text ? clean_path(text) : NULL;
		} else if (is_comment) {
			f.has_comment = !text || *text;
			f.null = (struct json_slice){w.key.start, (size_t)(w.value.start + w.value.n - w.key.start)};
		}
	}
	return f;
}

sbom_files *attestation_sbom_files(GBytes *predicate)
{
	gsize n;
	const char *json = g_bytes_get_data(predicate, &n);
	struct document d;
	struct json_walk w;
	if (!document_read(json, n, &d))
		return NULL;
	GHashTable *files = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	if (!d.files.start || *d.files.start != '[' || !json_walk_begin(&w, d.files.start, d.files.n))
		return files;
	while (json_walk_next(&w)) {
		struct file f = file_read(w.value);
		if (f.path && !f.has_comment)
			g_hash_table_insert(files, f.path, NULL);
		else
			g_free(f.path);
	}
	return files;
}

/* ---- layers */

struct layer_scan {
	sbom_files *files;
	const char *layer;
	guint left; /* files without a layer */
};

static bool scan_entry(void *data, const struct tar_entry *e, GError **error)
{
	struct layer_scan *s = data;
	g_autofree char *path = clean_path(e->name);
	gpointer key, value;
	const char *base = strrchr(path, '/') + 1;
	if (g_str_has_prefix(base, ".wh."))
		return true;
	if (g_hash_table_lookup_extended(s->files, path, &key, &value) && !value) {
		g_hash_table_insert(s->files, g_strdup(path), g_strdup(s->layer));
		s->left--;
	}
	return true;
}

static bool ignore_bytes(void *data, const void *bytes, size_t n, GError **error)
{
	return true;
}

static bool ignore_frame(void *data, const void *bytes, size_t n, bool is_end, GError **error)
{
	return true;
}

static bool scan_bytes(void *scan, const void *bytes, size_t n, GError **error)
{
	return tar_scan_write(scan, bytes, n, error);
}

static bool blob_scan(int fd, int64_t left, struct layer_scan *s, cancel *c, GError **error)
{
	static const struct tar_scan_handler handler = {
		.frame = ignore_frame, .entry = scan_entry, .contents = ignore_bytes};
	g_autoptr(tar_scan) scan = tar_scan_new(&handler, s);
	g_autoptr(decompressor) d = decompressor_new(false, LIMIT_LAYER_BYTES, scan_bytes, scan);
	g_autofree void *buffer = g_malloc(COPY_BYTES);
	while (left > 0) {
		ssize_t n = TEMP_FAILURE_RETRY(read(fd, buffer, (size_t)MIN(left, COPY_BYTES)));
		if (n < 0)
			return error_set_errno(error, errno, "read blob");
		if (n == 0)
			break;
		left -= n;
		if (!cancel_check(c, error) || !decompressor_write(d, buffer, (size_t)n, error))
			return false;
	}
	return decompressor_finish(d, error) && tar_scan_finish(scan, error);
}

bool attestation_sbom_layers(sbom_files *files, const GPtrArray *layers, blob_store *blobs, struct work *work,
			     GError **error)
{
	struct layer_scan s = {.files = files, .left = g_hash_table_size(files)};
	for (guint i = layers->len; i > 0 && s.left > 0; i--) {
		const oci_descriptor *d = ((struct cache_layer_result *)layers->pdata[i - 1])->layer->descriptor;
		scoped_fd fd = blob_store_find_verified(blobs, &d->digest, error);
		if (fd < 0) {
			if (error && !*error)
				error_set(error, ERROR_NOT_FOUND, "blob %s: not found", d->digest.text);
			return false;
		}
		s.layer = d->digest.text;
		int64_t n = layer_tar_bytes(d, fd, error);
		if (n < 0 || !blob_scan(fd, n, &s, work->cancel, error))
			return error_prefix(error, "list the files of layer %s: ", d->digest.text);
	}
	return true;
}

/* ---- the new document */

static void put_string(GString *out, const char *text)
{
	json_writer *w = json_writer_new(0);
	json_put_string(w, text);
	g_autofree char *json = json_writer_take(&w, NULL);
	g_string_append(out, json);
}

/* Copies an object without the member at skip, which has no comma; returns whether it has other members. */
static void copy_open_object(GString *out, struct json_slice object, struct json_slice skip)
{
	struct json_walk w;
	g_string_append_c(out, '{');
	json_walk_begin(&w, object.start, object.n);
	while (json_walk_next(&w)) {
		if (w.key.start == skip.start)
			continue;
		if (out->str[out->len - 1] != '{')
			g_string_append_c(out, ',');
		g_string_append_len(out, w.key.start, w.value.start + w.value.n - w.key.start);
	}
	if (out->str[out->len - 1] != '{')
		g_string_append_c(out, ',');
}

static void put_file(GString *out, struct json_slice json, const sbom_files *files)
{
	struct file f = file_read(json);
	const char *layer = f.path && !f.has_comment ? g_hash_table_lookup((GHashTable *)files, f.path) : NULL;
	g_free(f.path);
	if (!layer) {
		g_string_append_len(out, json.start, (gssize)json.n);
		return;
	}
	copy_open_object(out, json, f.null);
	g_string_append_printf(out, "\"comment\":\"layerID: %s\"}", layer);
}

static void put_files(GString *out, struct json_slice list, const sbom_files *files)
{
	struct json_walk w;
	if (*list.start != '[' || !json_walk_begin(&w, list.start, list.n)) {
		g_string_append_len(out, list.start, (gssize)list.n);
		return;
	}
	g_string_append_c(out, '[');
	while (json_walk_next(&w)) {
		if (out->str[out->len - 1] != '[')
			g_string_append_c(out, ',');
		put_file(out, w.value, files);
	}
	g_string_append_c(out, ']');
}

/* Appends the builder to the creators. */
static void put_creation(GString *out, struct json_slice creation)
{
	struct json_walk w;
	struct json_slice creators = {0}, member = {0};
	if (!creation.start || *creation.start != '{' || !json_walk_begin(&w, creation.start, creation.n)) {
		g_string_append(out, "{\"creators\":[");
		put_string(out, CREATOR);
		g_string_append(out, "],\"created\":\"\"}");
		return;
	}
	while (json_walk_next(&w)) {
		if (!json_slice_is(w.key, "creators", false) || *w.value.start != '[')
			continue;
		creators = w.value;
		member = w.key;
	}
	copy_open_object(out, creation, member);
	g_string_append(out, "\"creators\":[");
	if (creators.n > 2) {
		g_string_append_len(out, creators.start + 1, (gssize)creators.n - 2);
		g_string_append_c(out, ',');
	}
	put_string(out, CREATOR);
	g_string_append(out, "]}");
}

GBytes *attestation_sbom_complete(GBytes *predicate, const sbom_files *files)
{
	gsize n;
	const char *json = g_bytes_get_data(predicate, &n);
	struct document d;
	struct json_walk w;
	if (!document_read(json, n, &d))
		return g_bytes_ref(predicate);
	GString *out = g_string_sized_new(n);
	g_string_append_c(out, '{');
	json_walk_begin(&w, json, n);
	while (json_walk_next(&w)) {
		if (w.value.start == d.creation.start)
			continue;
		g_string_append_len(out, w.key.start, (gssize)w.key.n);
		g_string_append_c(out, ':');
		if (w.value.start == d.files.start)
			put_files(out, w.value, files);
		else
			g_string_append_len(out, w.value.start, (gssize)w.value.n);
		g_string_append_c(out, ',');
	}
	g_string_append(out, "\"creationInfo\":");
	put_creation(out, d.creation);
	g_string_append_c(out, '}');
	return g_string_free_to_bytes(out);
}
