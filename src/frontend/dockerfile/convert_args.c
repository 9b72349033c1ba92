/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/dockerfile/convert_shared.h"
#include "api/message_copy.h"
#include "format/gotype.h"
#include "frontend/dockerfile/text.h"
#include <string.h>

/* Arguments that control the SBOM scan; they are not passed to steps. */
#define SCAN_CONTEXT "BUILDKIT_SBOM_SCAN_CONTEXT"
#define SCAN_STAGE "BUILDKIT_SBOM_SCAN_STAGE"

bool args_is_env(const char *name)
{
	return strcmp(name, SCAN_CONTEXT) != 0 && strcmp(name, SCAN_STAGE) != 0;
}

/* A boolean, or a comma-separated list of stages. */
static bool is_enabled_for(const char *value, const char *stage)
{
	bool enabled;
	if (bool_parse(value, &enabled, NULL))
		return enabled;
	g_auto(GStrv) stages = g_strsplit(value, ",", -1);
	return g_strv_contains((const char *const *)stages, stage);
}

/* The value of the stage, else of the file. */
static bool is_enabled(convert *c, const struct stage *s, const char *name)
{
	const char *value = env_get(c->globals, name);
	for (size_t i = 0; i < s->args.n; i++) {
		const struct pair *arg = s->args.items[i];
		if (strcmp(arg->key, name) == 0 && arg->value)
			value = arg->value;
	}
	return value && is_enabled_for(value, s->display);
}

struct sbom_extra *convert_extras(convert *c, size_t *ret_n, bool *ret_ignore_cache)
{
	const struct stage *target = c->target_stage;
	GHashTable *needed = stages_needed(c, c->target_stage);
	struct sbom_extra *extras = arena_alloc(c->arena, (c->stages.n + 1) * sizeof *extras);
	size_t n = 0;
	*ret_ignore_cache = target->no_cache;
	if (is_enabled(c, target, SCAN_CONTEXT))
		extras[n++] = (struct sbom_extra){"context", c->context_placeholder};
	for (size_t i = 0; i < c->stages.n; i++) {
		const struct stage *s = c->stages.items[i];
		if (s == target || !g_hash_table_contains(needed, s) || !is_enabled(c, s, SCAN_STAGE))
			continue;
		extras[n++] = (struct sbom_extra){s->display, s->state.out};
		*ret_ignore_cache = *ret_ignore_cache || s->no_cache;
	}
	*ret_n = n;
	return extras;
}

static struct env *default_args(convert *c, bool overrides, GError **error)
{
	struct env *env = env_new(c->arena, c->tables);
	g_autofree char *build = platform_format(&c->build), *target = platform_format_all(&c->target);
	const char *stage = c->target_name;
	if (!*stage)
		stage = vec_at(&c->parsed, struct stage *, c->parsed.n - 1)->name;
	const struct {
		const char *name, *value;
	} rows[] = {
		{"BUILDPLATFORM", build},
		{"BUILDOS", c->build.os},
		{"BUILDOSVERSION", c->build.os_version},
		{"BUILDARCH", c->build.architecture},
		{"BUILDVARIANT", c->build.variant},
		{"TARGETPLATFORM", target},
		{"TARGETOS", c->target.os},
		{"TARGETOSVERSION", c->target.os_version},
		{"TARGETARCH", c->target.architecture},
		{"TARGETVARIANT", c->target.variant},
		{"TARGETSTAGE", *stage ? stage : "default"},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		const char *given = overrides ? g_hash_table_lookup(c->build_args, rows[i].name) : NULL;
		if (!env_set(env, rows[i].name, given ? given : arena_strdup(c->arena, rows[i].value), error))
			return NULL;
	}
	return env;
}

/* An ARG whose default refers to the ARG itself inherits the dependencies of its previous default. */
static void inherit_deps(convert *c, struct arg_info *info, const char *key)
{
	struct vec deps = {0};
	const struct arg_info *old = g_hash_table_lookup(c->arg_infos, key);
	if (!vec_has(&info->deps, key))
		return;
	for (size_t i = 0; i < info->deps.n; i++)
		if (strcmp(info->deps.items[i], key) != 0)
			arena_push(c->arena, &deps, info->deps.items[i]);
	for (size_t i = 0; old && i < old->deps.n; i++)
		if (!vec_has(&deps, old->deps.items[i]))
			arena_push(c->arena, &deps, old->deps.items[i]);
	info->deps = deps;
}

static bool add_global(convert *c, struct env *env, const struct instruction *i, const struct pair *pair,
		       GHashTable *args, GHashTable *infos, GError **error)
{
	struct arg_info *info = arena_make(c->arena, struct arg_info);
	*info = (struct arg_info){.definition = pair, .value = "", .span = i->span};
	const char *value = args ? g_hash_table_lookup(args, pair->key) : NULL;
	if (!value && pair->value) {
		struct words_result r;
		if (!words_expand(&c->words, c->arena, pair->value, &env->words, &r, error))
			return false;
		value = r.text;
		info->deps = r.matched;
		if (infos)
			inherit_deps(c, info, pair->key);
	}
	if (value && !env_set(env, pair->key, value, error))
		return false;
	info->value = value ? value : "";
	if (infos)
		g_hash_table_replace(infos, (char *)pair->key, info);
	return true;
}

static bool add_globals(convert *c, struct env *env, GHashTable *args, GHashTable *infos, struct span *ret_where,
			GError **error)
{
	for (size_t n = 0; n < c->meta_args.n; n++) {
		const struct instruction *i = c->meta_args.items[n];
		*ret_where = i->span;
		for (size_t k = 0; k < i->pairs.n; k++)
			if (!add_global(c, env, i, i->pairs.items[k], args, infos, error))
				return false;
	}
	return true;
}

bool args_global(convert *c, GError **error)
{
	struct span where;
	struct env *plain = default_args(c, true, error);
	if (!plain)
		return false;
	/* Check that base images are valid without build arguments. */
	if (c->lint.sink && add_globals(c, plain, NULL, NULL, &where, NULL)) {
		c->globals = plain;
		validate_default_args(c);
	}
	c->globals = default_args(c, true, error);
	if (!c->globals)
		return false;
	return add_globals(c, c->globals, c->build_args, c->arg_infos, &where, error) || convert_fail_at(c, where);
}

void args_proxy(convert *c)
{
	g_autoptr(GList) names = g_list_sort(g_hash_table_get_keys(c->build_args), (GCompareFunc)strcmp);
	Pb__ProxyEnv *p = message_new_in(c->arena, Pb__ProxyEnv, pb__proxy_env);
	const struct {
		const char *name;
		char **member;
	} rows[] = {{"http_proxy", &p->http_proxy},
		    {"https_proxy", &p->https_proxy},
		    {"ftp_proxy", &p->ftp_proxy},
		    {"no_proxy", &p->no_proxy},
		    {"all_proxy", &p->all_proxy}};
	for (GList *l = names; l; l = l->next) {
		for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
			if (!text_equal_fold(l->data, rows[i].name))
				continue;
			*rows[i].member = g_hash_table_lookup(c->build_args, l->data);
			c->proxy = p;
		}
	}
}

/* --- ARG in a stage --- */

static bool stage_arg(convert *c, struct stage *s, const struct command *cmd, const struct pair *pair, GString *text,
		      GError **error)
{
	validate_secret_key(c, cmd->instruction, "ARG", pair->key);
	const char *given = g_hash_table_lookup(c->build_args, pair->key), *value = given;
	bool inherited = false;
	if (!given && pair->value) {
		value = convert_expand(c, s, cmd, pair->value, error);
		if (!value)
			return false;
	} else if (!given) {
		value = env_get(c->globals, pair->key);
		inherited = value != NULL;
	}
	if (value && args_is_env(pair->key) && !env_set(s->state.env, pair->key, value, error))
		return false;
	if (!inherited) {
		struct arg_info *info = arena_make(c->arena, struct arg_info);
		*info = (struct arg_info){
			.definition = pair, .value = value ? value : "", .span = cmd->instruction->span};
		g_hash_table_replace(s->arg_infos, (char *)pair->key, info);
	}
	g_hash_table_add(s->used_args, (char *)pair->key);
	struct pair *declared = arena_make(c->arena, struct pair);
	*declared = (struct pair){pair->key, value, false, pair->doc};
	arena_push(c->arena, &s->args, declared);
	g_string_append_printf(text, " %s%s%s", pair->key, value ? "=" : "", value ? value : "");
	return true;
}

bool convert_arg(convert *c, struct stage *s, const struct command *cmd, GError **error)
{
	g_autoptr(GString) text = g_string_new("ARG");
	for (size_t i = 0; i < cmd->instruction->pairs.n; i++)
		if (!stage_arg(c, s, cmd, cmd->instruction->pairs.items[i], text, error))
			return false;
	convert_commit(c, s, arena_strndup(c->arena, text->str, text->len), false);
	return true;
}
