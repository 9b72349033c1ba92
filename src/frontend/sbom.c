/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/sbom.h"
#include "base/arena.h"
#include "base/limits.h"
#include "base/text.h"
#include "api/guard.h"
#include "format/csv.h"
#include "format/json_writer.h"
#include "format/reference.h"
#include <string.h>

#define DEFAULT_GENERATOR "docker/buildkit-syft-scanner:stable-1"
#define CORE_NAME "sbom"
#define SOURCE_DIR "/run/src/"
#define DESTINATION "/run/out/"

/* ---- options */

static bool generator_read(struct sbom_options *o, const char *value, const char *noun, GError **error)
{
	if (!*value)
		return error_set(error, ERROR_UNKNOWN, "sbom %s cannot be empty", noun);
	g_autoptr(reference) image = reference_parse_normalized(value, error);
	if (!image)
		return error_prefix(error, "failed to parse sbom %s %s: ", noun, value);
	reference_tag_default(image);
	g_free(o->generator);
	o->generator = reference_text(image);
	return true;
}

/* Sorted, so that equal options give equal steps. */
static char **params_list(GHashTable *params)
{
	guint n;
	g_autofree char **names = (char **)g_hash_table_get_keys_as_array(params, &n);
	qsort(names, n, sizeof *names, text_order);
	char **list = g_new0(char *, n + 1);
	for (guint i = 0; i < n; i++)
		list[i] = g_strconcat(names[i], "=", (char *)g_hash_table_lookup(params, names[i]), NULL);
	return list;
}

bool sbom_options_read(struct sbom_options *ret, const char *value, const char *noun, GError **error)
{
	struct sbom_options o = {0};
	g_autoptr(GHashTable) params = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	g_auto(GStrv) fields = *value ? csv_parse(value, error) : g_new0(char *, 1);
	if (!fields)
		return error_prefix(error, "failed to parse sbom: ");
	const char *generator = DEFAULT_GENERATOR;
	for (char **field = fields; *field; field++) {
		const char *equals = strchr(*field, '=');
		g_autofree char *name = equals ? g_strndup(*field, (gsize)(equals - *field)) : g_strdup(*field);
		if (strcmp(name, "generator") == 0)
			generator = equals ? equals + 1 : "";
		else
			g_hash_table_replace(params, g_steal_pointer(&name), g_strdup(equals ? equals + 1 : ""));
	}
	if (!generator_read(&o, generator, noun, error))
		return false;
	o.params = params_list(params);
	*ret = o;
	return true;
}

void sbom_options_clear(struct sbom_options *o)
{
	g_clear_pointer(&o->generator, g_free);
	g_clear_pointer(&o->params, g_strfreev);
}

/* ---- the image */

struct sbom_generator {
	bridge *b;
	char *image; /* reference, possibly changed by policy */
	struct platform platform;
	char **args, **env, **params;
	char *dir;
};

void sbom_generator_free(sbom_generator *g)
{
	if (!g)
		return;
	g_free(g->image);
	g_strfreev(g->args);
	g_strfreev(g->env);
	g_strfreev(g->params);
	g_free(g->dir);
	g_free(g);
}

static bool texts_read(GPtrArray *to, const json_t *config, const char *member, GError **error)
{
	const json_t *list = json_member_any_case(config, member);
	if (list && !json_is_null(list) && !json_is_array(list))
		return error_set(error, ERROR_INVALID_ARGUMENT, "image config: %s is not a list", member);
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *text = json_string_value(json_array_get(list, i));
		if (!text)
			return error_set(error, ERROR_INVALID_ARGUMENT, "image config: %s is not a list of strings",
					 member);
		g_ptr_array_add(to, g_strdup(text));
	}
	return true;
}

static char **texts_take(GPtrArray *list)
{
	g_ptr_array_add(list, NULL);
	return (char **)g_ptr_array_free(list, FALSE);
}

static bool config_read(sbom_generator *g, GBytes *bytes, GError **error)
{
	gsize n;
	const void *data = g_bytes_get_data(bytes, &n);
	g_autoptr(json_t) image = json_read(data, n, (size_t)LIMIT_CONFIG_BYTES, "image config", error);
	const json_t *config = json_member_any_case(image, "config");
	GPtrArray *args = g_ptr_array_new_with_free_func(g_free), *env = g_ptr_array_new_with_free_func(g_free);
	bool ok = image && texts_read(args, config, "Entrypoint", error) && texts_read(args, config, "Cmd", error) &&
		  texts_read(env, config, "Env", error);
	g->args = texts_take(args);
	g->env = texts_take(env);
	const char *dir = json_string_value(json_member_any_case(config, "WorkingDir"));
	g->dir = g_strconcat(dir && *dir == '/' ? "" : "/", dir, NULL);
	if (!ok)
		return false;
	return *g->args || error_set(error, ERROR_INVALID_ARGUMENT, "scanner %s does not have cmd", g->image);
}

sbom_generator *sbom_generator_new(bridge *b, const struct sbom_options *o, const struct platform *platform,
				   const char *resolve_mode, struct work *work, GError **error)
{
	struct bridge_image_request request = {.ref = o->generator, .platform = platform, .resolve_mode = resolve_mode};
	struct bridge_image found = {0};
	if (!b->class->resolve_image(b, &request, work, &found, error)) {
		g_free(found.other);
		return NULL;
	}
	g_autoptr(sbom_generator) g = g_new0(sbom_generator, 1);
	g->b = b;
	g->image = found.ref;
	g->platform = *platform;
	g->platform.os_features = NULL;
	g->params = g_strdupv(o->params);
	g_autoptr(GBytes) config = found.config;
	return config_read(g, config, error) ? g_steal_pointer(&g) : NULL;
}

/* ---- the step */

/* An equal variable of an earlier position is replaced, as by upstream's client. */
static void env_add(GPtrArray *env, const char *text)
{
	size_t n = strcspn(text, "=");
	for (guint i = 0; i < env->len; i++) {
		const char *other = env->pdata[i];
		if (strcspn(other, "=") == n && strncmp(other, text, n) == 0) {
			g_ptr_array_remove_index(env, i);
			break;
		}
	}
	g_ptr_array_add(env, text[n] ? g_strdup(text) : g_strconcat(text, "=", NULL));
}

static GPtrArray *env_of(const sbom_generator *g, bool extras)
{
	GPtrArray *env = g_ptr_array_new_with_free_func(g_free);
	for (char **e = g->env; *e; e++)
		env_add(env, *e);
	env_add(env, "BUILDKIT_SCAN_DESTINATION=" DESTINATION);
	env_add(env, "BUILDKIT_SCAN_SOURCE=" SOURCE_DIR "core/" CORE_NAME);
	if (extras)
		env_add(env, "BUILDKIT_SCAN_SOURCE_EXTRAS=" SOURCE_DIR "extras");
	for (char **p = g->params; *p; p++) {
		g_autofree char *text = g_strconcat("BUILDKIT_SCAN_", *p, NULL);
		env_add(env, text);
	}
	return env;
}

static struct llb_out step_define(const sbom_generator *g, const struct sbom_scan *scan)
{
	g_autoptr(arena) a = arena_new();
	g_autoptr(GPtrArray) env = env_of(g, scan->n_extras > 0);
	struct llb_meta meta = LLB_META_INIT;
	meta.platform = &g->platform;
	const char *identifier = arena_printf(a, "docker-image://%s", g->image);
	struct llb_out image = llb_source(scan->graph, identifier, NULL, &meta);
	size_t n = 0;
	struct llb_exec_mount *mounts = arena_alloc(a, (4 + scan->n_extras) * sizeof *mounts);
	mounts[n++] = (struct llb_exec_mount){.source = image, .dest = "/"};
	mounts[n++] = (struct llb_exec_mount){.type = PB__MOUNT_TYPE__TMPFS, .dest = "/tmp"};
	mounts[n++] =
		(struct llb_exec_mount){.source = scan->core, .dest = SOURCE_DIR "core/" CORE_NAME, .readonly = true};
	for (size_t i = 0; i < scan->n_extras; i++)
		mounts[n++] = (struct llb_exec_mount){
			.source = scan->extras[i].tree,
			.dest = arena_printf(a, SOURCE_DIR "extras/" CORE_NAME "-%s", scan->extras[i].name),
			.readonly = true};
	mounts[n++] = (struct llb_exec_mount){.dest = DESTINATION};
	Pb__Meta process = PB__META__INIT;
	process.args = g->args;
	process.n_args = g_strv_length(g->args);
	process.env = (char **)env->pdata;
	process.n_env = env->len;
	process.cwd = g->dir;
	struct llb_exec_spec spec = {.meta = &process, .mounts = mounts, .n_mounts = n};
	meta.custom_name = arena_printf(a, "[%s] generating sbom using %s", scan->id, g->image);
	meta.ignore_cache = scan->ignore_cache;
	return llb_exec_mount_out(llb_exec(scan->graph, &spec, &meta), DESTINATION);
}

bool sbom_scan(const sbom_generator *g, const struct sbom_scan *scan, struct work *work, bridge_ref **ret,
	       GError **error)
{
	struct bridge_solve_request request = {.definition = llb_assemble(scan->graph, step_define(g, scan))};
	g_autoptr(build_result) result = NULL;
	if (!g->b->class->solve(g->b, &request, work, &result, error))
		return false;
	*ret = g_steal_pointer(&result->ref);
	return true;
}

void sbom_attest(build_result *r, const char *id, bridge_ref *ref)
{
	struct build_attestation *a = build_result_attest(r, id, BUILD_PREDICATE_SPDX);
	a->is_bundle = true;
	a->ref = ref;
	build_result_attestation_set(a, BUILD_ATTESTATION_REASON, BUILD_ATTESTATION_REASON_SBOM);
	build_result_attestation_set(a, BUILD_ATTESTATION_SBOM_CORE, CORE_NAME);
}
