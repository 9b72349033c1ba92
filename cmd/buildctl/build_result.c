/* SPDX-License-Identifier: Apache-2.0 */
#include "build_result.h"
#include "base/limits.h"
#include "client/output_path.h"
#include "command.h"
#include "format/json_writer.h"
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

/* A value that is the base64 encoding of a JSON object is printed as that object. */
static json_t *inline_object(const char *value)
{
	size_t len = strlen(value);
	if (len == 0 || len % 4 != 0 ||
	    strspn(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=") != len)
		return NULL;
	gsize n = 0;
	g_autofree guchar *bytes = g_base64_decode(value, &n);
	json_t *json = json_read(bytes, n, (size_t)LIMIT_MESSAGE_BYTES, "metadata", NULL);
	if (json_is_object(json))
		return json;
	json_decref(json);
	return NULL;
}

static char *metadata_json(GHashTable *response)
{
	json_writer *w = json_writer_new(2);
	g_autoptr(GList) keys = g_list_sort(g_hash_table_get_keys(response), (GCompareFunc)g_strcmp0);
	json_object_begin(w);
	for (const GList *k = keys; k; k = k->next) {
		const char *value = g_hash_table_lookup(response, k->data);
		g_autoptr(json_t) object = inline_object(value);
		json_key(w, k->data);
		if (object)
			json_put_value(w, object, false);
		else
			json_put_string(w, value);
	}
	json_object_end(w);
	return json_writer_take(&w, NULL);
}

/*
 * Writes a regular file under a temporary name and renames it, so that readers never see a partial file. Devices, pipes
 * and symbolic links are written directly: /dev/null must not become a regular file.
 */
static bool write_file(const char *path, const char *text, GError **error)
{
	struct stat st;
	if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		FILE *file = fopen(path, "we");
		if (!file)
			return error_set_errno(error, errno, "open %s", path);
		bool ok = fputs(text, file) >= 0;
		ok = (fclose(file) == 0) && ok;
		return ok || error_set_errno(error, errno, "write %s", path);
	}
	return g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0666, error);
}

static char *bytes_text(GBytes *bytes)
{
	gsize n = 0;
	const char *start = g_bytes_get_data(bytes, &n);
	return g_strndup(start ? start : "", n);
}

/* The result of a subrequest is result.txt, or all result.* keys. */
static bool print_subrequest(GHashTable *metadata, GError **error)
{
	GBytes *text = g_hash_table_lookup(metadata, "result.txt");
	if (text) {
		g_autofree char *shown = bytes_text(text);
		return print_text(shown, error);
	}
	g_autoptr(GList) keys = g_list_sort(g_hash_table_get_keys(metadata), (GCompareFunc)g_strcmp0);
	for (const GList *k = keys; k; k = k->next) {
		if (!g_str_has_prefix(k->data, "result."))
			continue;
		g_autofree char *value = bytes_text(g_hash_table_lookup(metadata, k->data));
		g_autofree char *shown = g_strdup_printf("%s\n%s\n", (char *)k->data, value);
		if (!print_text(shown, error))
			return false;
	}
	return true;
}

bool build_result_check(const flags *f, GError **error)
{
	static const char *const names[] = {"metadata-file", "ref-file"};
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		const char *path = flags_string(f, names[i]);
		g_autofree char *option = g_strconcat("--", names[i], NULL);
		if (*path && !output_path_check(option, path, OUTPUT_PATH_FILE, error))
			return false;
	}
	return true;
}

bool build_result_write(const flags *f, const struct build_options *o, const char *ref,
			const struct solve_result *result, GError **error)
{
	const char *metadata_file = flags_string(f, "metadata-file"), *ref_file = flags_string(f, "ref-file");
	if (g_hash_table_contains(o->attrs, "requestid") && result->metadata &&
	    !print_subrequest(result->metadata, error))
		return false;
	if (*metadata_file && g_hash_table_size(result->response) > 0) {
		g_autofree char *json = metadata_json(result->response);
		if (!write_file(metadata_file, json, error))
			return false;
	}
	return !*ref_file || write_file(ref_file, ref, error);
}
