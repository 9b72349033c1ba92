/* SPDX-License-Identifier: Apache-2.0 */
/* --export-cache and --import-cache: parses both flags, and updates index.json of local caches after the build. */
#include "base/log.h"
#include "build_options.h"
#include "client/layout_index.h"
#include "format/csv.h"
#include "format/gotype.h"
#include <string.h>

static bool read_pairs(const char *text, GHashTable *attrs, GError **error)
{
	g_auto(GStrv) fields = csv_parse(text, error);
	if (!fields)
		return false;
	for (char **field = fields; *field; field++) {
		char *key = NULL, *value = NULL;
		if (!csv_split(*field, &key, &value))
			return error_set(error, ERROR_INVALID_ARGUMENT, "invalid value %s", *field);
		g_hash_table_replace(attrs, g_ascii_strdown(key, -1), value);
		g_free(key);
	}
	return true;
}

static const char *attr(const struct solve_target *t, const char *key)
{
	const char *value = g_hash_table_lookup(t->attrs, key);
	return value ? value : "";
}

static void attr_set(const struct solve_target *t, const char *key, const char *value)
{
	g_hash_table_replace(t->attrs, g_strdup(key), g_strdup(value));
}

/* Adds the attributes of type=gha from the environment of a GitHub Actions runner. */
static void add_github(const struct solve_target *t)
{
	static const struct {
		const char *key, *variable;
	} from[] = {
		{"url_v2", "ACTIONS_RESULTS_URL"}, {"url", "ACTIONS_CACHE_URL"}, {"token", "ACTIONS_RUNTIME_TOKEN"}};
	for (size_t i = 0; i < G_N_ELEMENTS(from); i++) {
		const char *value = g_getenv(from[i].variable);
		if (value && *value && !g_hash_table_contains(t->attrs, from[i].key))
			attr_set(t, from[i].key, value);
	}
	const char *v2 = g_getenv("ACTIONS_CACHE_SERVICE_V2");
	bool is_v2;
	if (v2 && !g_hash_table_contains(t->attrs, "version") && bool_parse(v2, &is_v2, NULL) && is_v2)
		attr_set(t, "version", "2");
}

/* The first versions of BuildKit took a registry reference without type=. */
static bool read_target(struct build_options *o, const char *name, const char *text, struct solve_target *ret,
			GError **error)
{
	GHashTable *attrs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	g_ptr_array_add(o->tables, attrs);
	if (!strstr(text, "type=")) {
		log_warn("--%s <ref> is deprecated. Please use --%s "
			 "type=registry,ref=<ref>,<opt>=<optval>[,<opt>=<optval>] "
			 "instead",
			 name, name);
		g_hash_table_replace(attrs, g_strdup("ref"), g_strdup(text));
		g_hash_table_replace(attrs, g_strdup("type"), g_strdup("registry"));
	} else if (!read_pairs(text, attrs, error)) {
		return false;
	}
	char *type = g_strdup(g_hash_table_lookup(attrs, "type"));
	g_ptr_array_add(o->texts, type);
	g_hash_table_remove(attrs, "type");
	if (!type || !*type)
		return error_set(error, ERROR_INVALID_ARGUMENT, "--%s requires type=<type>", name);
	*ret = (struct solve_target){.type = type, .attrs = attrs};
	if (strcmp(type, "gha") == 0)
		add_github(ret);
	return true;
}

/* ---- exports */

/* type=local: the daemon reaches the directory as a content store of the session. */
static bool export_local(struct build_options *o, const struct solve_target *t, GError **error)
{
	struct cache_store store = {.dir = attr(t, "dest"), .tag = "latest"};
	if (!*store.dir)
		return error_set(error, ERROR_INVALID_ARGUMENT, "local cache exporter requires dest");
	if (g_hash_table_contains(t->attrs, "tag"))
		store.tag = attr(t, "tag");
	if (g_hash_table_contains(t->attrs, "reset") && !bool_parse(attr(t, "reset"), &store.reset, error))
		return error_prefix(error, "failed to parse reset attribute: ");
	g_autofree char *id = g_strconcat("local:", store.dir, NULL);
	g_array_append_val(o->cache_stores, store);
	return services_add_store(o->services, id, store.dir, true, error);
}

static bool read_exports(struct build_options *o, const flags *f, GError **error)
{
	for (const char *const *text = flags_strings(f, "export-cache"); *text; text++) {
		struct solve_target t;
		if (!read_target(o, "export-cache", *text, &t, error))
			return false;
		if (!g_hash_table_contains(t.attrs, "mode"))
			attr_set(&t, "mode", "min");
		if (strcmp(t.type, "local") == 0 && !export_local(o, &t, error))
			return false;
		if (strcmp(t.type, "registry") == 0 && !*attr(&t, "ref"))
			return error_set(error, ERROR_INVALID_ARGUMENT, "registry cache exporter requires ref");
		g_array_append_val(o->cache_exports, t);
	}
	return true;
}

/* ---- imports */

/* Resolves a tag to a digest. Returns false, with the reason in error, when the import is to be skipped. */
static bool find_digest(const struct solve_target *t, const char *dir, GError **error)
{
	if (*attr(t, "digest"))
		return true;
	const char *tag = g_hash_table_contains(t->attrs, "tag") ? attr(t, "tag") : "latest";
	oci_descriptor *found = NULL;
	if (!layout_index_find(dir, tag, &found, error))
		return error_prefix(error, "skipped due to err: ");
	if (!found)
		return error_set(error, ERROR_NOT_FOUND, "skipped: no digest found for tag %s", tag);
	attr_set(t, "digest", found->digest.text);
	oci_descriptor_free(found);
	return true;
}

static bool has_blob(const struct solve_target *t, const char *dir, GError **error)
{
	struct digest digest;
	const char *text = attr(t, "digest");
	if (digest_parse(text, &digest, error)) {
		g_autofree char *path =
			g_strdup_printf("%s/blobs/%.*s/%s", dir, (int)(strchr(digest.text, ':') - digest.text),
					digest.text, digest_hex(&digest));
		if (g_file_test(path, G_FILE_TEST_IS_REGULAR))
			return true;
		error_set(error, ERROR_NOT_FOUND, "content %s: not found", digest.text);
	}
	return error_prefix(error, "skipped: digest %s unavailable: ", text);
}

/* A missing local cache is not an error: the build continues without it. */
static bool import_local(struct build_options *o, const struct solve_target *t, bool *ret_use, GError **error)
{
	const char *dir = attr(t, "src");
	*ret_use = false;
	if (!*dir)
		return error_set(error, ERROR_INVALID_ARGUMENT, "local cache importer requires src");
	if (g_hash_table_contains(t->attrs, "tag") && !*attr(t, "tag") && !*attr(t, "digest"))
		return error_set(
			error, ERROR_INVALID_ARGUMENT,
			"local cache importer requires either explicit digest, \"latest\" tag or custom tag on "
			"index.json");
	g_autoptr(GError) why = NULL;
	g_autofree char *id = g_strconcat("local:", dir, NULL);
	*ret_use = find_digest(t, dir, &why) && has_blob(t, dir, &why) &&
		   services_add_store(o->services, id, dir, false, &why);
	if (!*ret_use)
		log_warn("local cache import at %s %s", dir, why->message);
	return true;
}

static bool read_imports(struct build_options *o, const flags *f, GError **error)
{
	for (const char *const *text = flags_strings(f, "import-cache"); *text; text++) {
		struct solve_target t;
		bool use = true;
		if (!read_target(o, "import-cache", *text, &t, error))
			return false;
		if (strcmp(t.type, "local") == 0 && !import_local(o, &t, &use, error))
			return false;
		if (strcmp(t.type, "registry") == 0 && !*attr(&t, "ref"))
			return error_set(error, ERROR_INVALID_ARGUMENT, "registry cache importer requires ref");
		if (use)
			g_array_append_val(o->cache_imports, t);
	}
	return true;
}

bool build_cache_read(struct build_options *o, const flags *f, GError **error)
{
	return read_exports(o, f, error) && read_imports(o, f, error);
}

/* ---- after the build */

static oci_descriptor *read_descriptor(const void *text, size_t n, GError **error)
{
	g_autoptr(json_t) json = json_read(text, n, 65536, "descriptor", error);
	return json ? oci_descriptor_read(json, error) : NULL;
}

static bool finish_caches(const struct build_options *o, const char *manifest, GError **error)
{
	g_autoptr(oci_descriptor) d = read_descriptor(manifest, strlen(manifest), error);
	if (!d)
		return false;
	for (guint i = 0; i < o->cache_stores->len; i++) {
		const struct cache_store *store = &g_array_index(o->cache_stores, struct cache_store, i);
		struct layout_name name = {store->tag, true};
		if (!layout_index_put(store->dir, d, &name, 1, error))
			return false;
	}
	return true;
}

/* Tags in the index.json of an OCI layout: "latest", or the names of the image. */
static bool finish_images(const struct build_options *o, const char *base64, const char *names, GError **error)
{
	gsize n;
	g_autofree guchar *text = g_base64_decode(base64, &n);
	g_autoptr(oci_descriptor) d = read_descriptor(text, n, error);
	if (!d)
		return false;
	g_auto(GStrv) list = g_strsplit(names ? names : "latest", ",", -1);
	g_autofree struct layout_name *called = g_new0(struct layout_name, g_strv_length(list) + 1);
	for (guint i = 0; list[i]; i++)
		called[i] = (struct layout_name){list[i], names == NULL};
	for (guint i = 0; i < o->outputs->len; i++) {
		const struct services_output *output = o->outputs->pdata[i];
		if (output->store_dir && !layout_index_put(output->store_dir, d, called, g_strv_length(list), error))
			return false;
	}
	return true;
}

bool build_cache_finish(const struct build_options *o, GHashTable *response, GError **error)
{
	const char *manifest = g_hash_table_lookup(response, "cache.manifest");
	const char *image = g_hash_table_lookup(response, "containerimage.descriptor");
	if (manifest && *manifest && !finish_caches(o, manifest, error))
		return false;
	if (image && *image && !finish_images(o, image, g_hash_table_lookup(response, "image.name"), error))
		return false;
	for (guint i = 0; i < o->cache_stores->len; i++) {
		const struct cache_store *store = &g_array_index(o->cache_stores, struct cache_store, i);
		g_autoptr(GError) why = NULL;
		if (store->reset && !layout_index_sweep(store->dir, &why))
			log_warn("failed to reset cache store: %s", why->message);
	}
	return true;
}
