/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/dockerfile/convert_shared.h"
#include "base/hash_walk.h"
#include "base/text.h"
#include "format/url_redact.h"
#include "frontend/dockerfile/suggest.h"
#include "frontend/dockerfile/system_path.h"
#include "frontend/dockerfile/text.h"
#include "oci/oci.h"
#include <string.h>

typedef bool (*convert_function)(convert *c, struct stage *s, const struct command *cmd, GError **error);
static const convert_function functions[] = {
#define CONVERT_ROW(NAME, name, form, heredocs) convert_##name,
	INSTRUCTIONS(CONVERT_ROW)
#undef CONVERT_ROW
};

void convert_report_undefined(convert *c, struct stage *s, const struct instruction *i, const struct vec *unmatched)
{
	for (size_t n = 0; c->lint.sink && n < unmatched->n; n++) {
		size_t weight = s->args.n + s->state.env->entries.n * 16;
		if (!convert_spend(c, weight, NULL)) /* the next instruction reports the error */
			return;
		const char *name = unmatched->items[n];
		bool declared = !args_is_env(name);
		for (size_t k = 0; k < s->args.n && !declared; k++)
			declared = strcmp(vec_at(&s->args, struct pair *, k)->key, name) == 0;
		if (declared)
			continue;
		g_autofree char *match = suggest_find(name, env_keys(s->state.env), true);
		lint_report(&c->lint, &i->comments, LINT_UNDEFINED_VAR, i->span,
			    "Usage of undefined variable '$%s'%s%s%s", name, match ? " (did you mean $" : "",
			    match ? match : "", match ? "?)" : "");
	}
}

const char *convert_expand(convert *c, struct stage *s, const struct command *cmd, const char *word, GError **error)
{
	struct words_result r;
	bool ok = words_expand(&c->words, c->arena, word, &s->state.env->words, &r, error);
	convert_report_undefined(c, s, cmd->instruction, &r.unmatched);
	return ok ? r.text : NULL;
}

void convert_commit(convert *c, struct stage *s, const char *text, bool layer)
{
	char *shown = url_redact_text(text, -1);
	image_config_history(c->arena, s->image, shown ? arena_take(c->arena, shown) : text, layer, c->epoch);
}

struct llb_meta convert_meta(convert *c, const char *name, struct span span)
{
	struct llb_meta meta = LLB_META_INIT;
	meta.custom_name = name;
	if (span.first > 0) {
		meta.source_index = c->source_index;
		meta.ranges = span_ranges(c->arena, span);
	}
	return meta;
}

const char *const *follow_paths(convert *c, GHashTable *paths)
{
	struct vec list = {0};
	for (struct hash_walk it = hash_walk(paths); hash_walk_next(&it);) {
		if (strcmp(it.key, "/") == 0)
			return NULL;
		arena_push(c->arena, &list, (char *)it.key + 1);
	}
	if (!list.n)
		return NULL;
	qsort(list.items, list.n, sizeof *list.items, text_order);
	return arena_strv(c->arena, &list);
}

bool stage_set_dir(convert *c, struct stage *s, const char *dir, GError **error)
{
	const char *os = s->platform->os;
	const char *path = system_path_join(c->arena, os, s->image->working_dir, dir, error);
	if (!path)
		return error_prefix(error, "normalizing workdir: normalizing working directory: ");
	s->image->working_dir = system_path_native(c->arena, os, path);
	s->state.dir = path;
	return true;
}

/* Applies the base image's config to the stage's state; adds neither a vertex nor history. */
static bool begin_stage(convert *c, struct stage *s, GError **error)
{
	if (!stage_inherit(c, s, error))
		return false;
	if (!s->image)
		s->image = image_config_scratch(c->arena, &c->target);
	if (!s->state.env)
		s->state.env = env_new(c->arena, c->tables);
	if (!s->state.dir)
		s->state = (struct state){
			.out = s->state.out, .env = s->state.env, .dir = "/", .user = "", .hostname = ""};
	s->dispatched = true;
	if (!s->platform)
		s->platform = &c->target;
	if (!image_config_env_get(c->arena, s->image, "PATH") && strcmp(s->platform->os, "windows") != 0)
		image_config_env_set(c->arena, s->image, "PATH", OCI_DEFAULT_PATH);
	for (size_t i = 0; i < s->image->env.n; i++) {
		const char *entry = s->image->env.items[i], *equals = strchr(entry, '=');
		const char *key = equals ? arena_strndup(c->arena, entry, (size_t)(equals - entry)) : entry;
		if (!env_set(s->state.env, key, equals ? equals + 1 : "", error))
			return false;
	}
	if (*c->options->hostname)
		s->state.hostname = c->options->hostname;
	if (*s->image->working_dir && !stage_set_dir(c, s, s->image->working_dir, error))
		return false;
	if (*s->image->user)
		s->state.user = s->image->user;
	s->state.network = c->options->network;
	return true;
}

static bool dispatch_stage(convert *c, struct stage *s, GError **error)
{
	if (!begin_stage(c, s, error))
		return convert_fail_at(c, s->span);
	for (size_t i = 0; i < s->commands.n; i++) {
		const struct command *cmd = s->commands.items[i];
		s->in_onbuild = cmd->onbuild;
		if (!functions[cmd->instruction->kind](c, s, cmd, error))
			return convert_fail_at(c, cmd->instruction->span);
	}
	return true;
}

bool convert_dispatch(convert *c, GHashTable *needed, GError **error)
{
	for (size_t i = 0; i < c->stages.n; i++) {
		struct stage *s = c->stages.items[i];
		bool wanted = c->all_stages || g_hash_table_contains(needed, s);
		if (wanted && !s->dispatched && !dispatch_stage(c, s, error))
			return false;
	}
	/* all files of the result are used */
	g_hash_table_add(c->target_stage->paths, (char *)"/");
	if (!c->target_stage->image)
		c->target_stage->image = image_config_scratch(c->arena, &c->target);
	return true;
}
