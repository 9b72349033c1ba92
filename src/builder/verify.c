/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/build_internal.h"
#include "format/json_writer.h"
#include "base/limits.h"
#include "export/exporter.h"
#include "format/gotype.h"
#include <string.h>

#define REQUEST_KEY "verifier.requestopts"

static json_t *metadata_json(build_result *result, const char *key)
{
	GBytes *bytes = g_hash_table_lookup(result->metadata, key);
	gsize n = 0;
	const void *start = bytes ? g_bytes_get_data(bytes, &n) : NULL;
	return start ? json_read(start, n, (size_t)LIMIT_CONFIG_BYTES, key, NULL) : NULL;
}

/* Returns the normalised platforms of a result: from its map, or from the single image config. */
static GPtrArray *result_platforms(build_result *result)
{
	GPtrArray *list = g_ptr_array_new_with_free_func(g_free);
	struct platform p = {0};
	if (result->refs) {
		g_autoptr(json_t) map = metadata_json(result, "refs.platforms");
		json_t *row;
		size_t i;
		json_array_foreach(json_object_get(map, "Platforms"), i, row)
		{
			const char *id = json_string_value(json_object_get(row, "ID"));
			if (id && platform_parse(id, &p, NULL))
				g_ptr_array_add(list, platform_format(&p));
		}
		return list;
	}
	g_autoptr(json_t) config = metadata_json(result, "containerimage.config");
	if (!config && result->ref) { /* the frontend returned no config */
		platform_host(&p);
		platform_normalize(&p);
		g_ptr_array_add(list, platform_format(&p));
		return list;
	}
	const char *os = json_string_value(json_object_get(config, "os"));
	const char *arch = json_string_value(json_object_get(config, "architecture"));
	const char *variant = json_string_value(json_object_get(config, "variant"));
	if (!os || !arch)
		return list;
	g_strlcpy(p.os, os, sizeof p.os);
	g_strlcpy(p.architecture, arch, sizeof p.architecture);
	g_strlcpy(p.variant, variant ? variant : "", sizeof p.variant);
	platform_normalize(&p);
	g_ptr_array_add(list, platform_format(&p));
	return list;
}

/* Invalid and duplicate platforms are appended to ret_odd, for the warning. */
static GPtrArray *requested_platforms(build_result *result, GPtrArray *ret_odd)
{
	GPtrArray *list = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(json_t) request = metadata_json(result, REQUEST_KEY);
	json_t *row;
	size_t i;
	json_array_foreach(json_object_get(request, "Platforms"), i, row)
	{
		struct platform p;
		g_autoptr(GError) why = NULL;
		const char *text = json_string_value(row);
		g_autofree char *quoted = text ? go_quote(text) : NULL;
		if (!text)
			continue;
		if (!platform_parse(text, &p, &why)) {
			g_ptr_array_add(ret_odd, g_strdup_printf("Invalid platform result requested %s: %s", quoted,
								 why->message));
			continue;
		}
		g_autofree char *formatted = platform_format(&p);
		if (g_ptr_array_find_with_equal_func(list, formatted, g_str_equal, NULL))
			g_ptr_array_add(ret_odd, g_strdup_printf("Duplicate platform result requested %s", quoted));
		else
			g_ptr_array_add(list, g_steal_pointer(&formatted));
	}
	return list;
}

static bool same_set(GPtrArray *a, GPtrArray *b)
{
	for (guint i = 0; i < a->len; i++)
		if (!g_ptr_array_find_with_equal_func(b, a->pdata[i], g_str_equal, NULL))
			return false;
	return a->len == b->len;
}

static char *joined(GPtrArray *list)
{
	GString *text = g_string_new(NULL);
	for (guint i = 0; i < list->len; i++)
		g_string_append_printf(text, "%s%s", i ? "," : "", (char *)list->pdata[i]);
	return g_string_free(text, FALSE);
}

static char *problem_of(GPtrArray *wanted, GPtrArray *got, bool is_map)
{
	if (wanted->len == 0 || got->len == 0 || same_set(wanted, got))
		return NULL;
	if (wanted->len > 1 && !is_map)
		return g_strdup("Multiple platforms requested but result is not multi-platform");
	if (wanted->len == 1 && got->len == 1)
		return g_strdup_printf("Requested platform \"%s\" does not match result platform \"%s\"",
				       (char *)wanted->pdata[0], (char *)got->pdata[0]);
	g_autofree char *a = joined(wanted), *b = joined(got);
	return g_strdup_printf("Requested platforms %s do not match result platforms %s", a, b);
}

void build_warn(struct build *build, const char *message)
{
	g_autofree char *text = g_strdup_printf("%s-export-0", build->request->session);
	struct digest digest;
	digest_of_text(text, &digest);
	const char *name =
		build->request->n_exporters ? exporter_vertex_name_of(build->request->exporters[0].type) : NULL;
	bool own = name == NULL;
	g_autoptr(progress_sink) sink = solver_job_sink(build->job, digest.text, own ? "Verifying build result" : name);
	if (own)
		progress_sink_start(sink);
	struct progress_warning warning = {.level = 1, .text = message, .url = "", .source_name = ""};
	progress_warn(sink, &warning);
	if (own)
		progress_sink_complete(sink, NULL, false);
}

static void put_requested_platforms(json_writer *w, const char *list)
{
	json_key(w, "Platforms");
	json_array_begin(w);
	if (list) {
		g_auto(GStrv) platforms = g_strsplit(list, ",", -1);
		for (char **p = platforms; *p; p++)
			json_put_string(w, *p);
	} else {
		struct platform host;
		platform_host(&host);
		g_autofree char *text = platform_format(&host);
		json_put_string(w, text);
	}
	json_array_end(w);
}

static void put_requested_labels(json_writer *w, GHashTable *attrs)
{
	g_autoptr(GList) keys = g_list_sort(g_hash_table_get_keys(attrs), (GCompareFunc)(void (*)(void))strcmp);
	json_key(w, "Labels");
	json_object_begin(w);
	for (const GList *k = keys; k; k = k->next) {
		if (!g_str_has_prefix(k->data, "label:"))
			continue;
		json_key(w, (const char *)k->data + strlen("label:"));
		json_put_string(w, g_hash_table_lookup(attrs, k->data));
	}
	json_object_end(w);
}

/* The requested platforms are stored in the result's metadata, and from there in the build record. */
static void capture_request(struct build *build, build_result *result)
{
	GHashTable *attrs = build->request->frontend_attrs;
	const char *subrequest = g_hash_table_lookup(attrs, "requestid");
	json_writer *w = json_writer_new(0);
	json_object_begin(w);
	put_requested_platforms(w, g_hash_table_lookup(attrs, "platform"));
	put_requested_labels(w, attrs);
	json_key(w, "Request");
	json_put_string(w, subrequest ? subrequest : "");
	json_object_end(w);
	size_t n;
	g_autofree char *text = json_writer_take(&w, &n);
	build_result_set_metadata(result, REQUEST_KEY, text, n);
}

void build_verify(struct build *build, build_result *result)
{
	capture_request(build, result);
	g_autoptr(GPtrArray) odd = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GPtrArray) wanted = requested_platforms(result, odd);
	g_autoptr(GPtrArray) got = result_platforms(result);
	if (got->len == 0)
		return;
	for (guint i = 0; i < odd->len; i++)
		build_warn(build, odd->pdata[i]);
	g_autofree char *problem = odd->len ? NULL : problem_of(wanted, got, result->refs != NULL);
	if (problem)
		build_warn(build, problem);
}
