/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/dockerfile/convert_shared.h"
#include "base/hash_walk.h"
#include "format/gotype.h"
#include "format/patterns.h"
#include "format/reference.h"
#include "frontend/dockerfile/suggest.h"
#include "frontend/dockerfile/text.h"
#include <string.h>

static void count_casing(const char *name, int *lower, int *upper)
{
	if (text_is_lower(name))
		++*lower;
	else if (text_is_upper(name))
		++*upper;
}

static void check_casing(convert *c, const struct instruction *i, bool lower)
{
	if (lower ? text_is_lower(i->name) : text_is_upper(i->name))
		return;
	lint_report(&c->lint, NULL, LINT_CONSISTENT_INSTRUCTION_CASING, i->span,
		    "Command '%s' should match the case of the command majority (%s)", i->name,
		    lower ? "lowercase" : "uppercase");
}

static void check_all_casing(convert *c)
{
	int lower = 0, upper = 0;
	for (size_t n = 0; n < c->parsed.n; n++) {
		const struct stage *s = c->parsed.items[n];
		count_casing(s->from->name, &lower, &upper);
		for (size_t i = 0; i < s->instructions.n; i++)
			count_casing(vec_at(&s->instructions, struct instruction *, i)->name, &lower, &upper);
	}
	for (size_t n = 0; n < c->parsed.n; n++) {
		const struct stage *s = c->parsed.items[n];
		check_casing(c, s->from, lower > upper);
		for (size_t i = 0; i < s->instructions.n; i++)
			check_casing(c, s->instructions.items[i], lower > upper);
	}
}

void validate_stages(convert *c)
{
	if (!c->lint.sink)
		return;
	g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);
	for (size_t n = 0; n < c->parsed.n; n++) {
		const struct stage *s = c->parsed.items[n];
		if (!*s->name)
			continue;
		if (strcmp(s->name, "context") == 0 || strcmp(s->name, "scratch") == 0)
			lint_report(&c->lint, NULL, LINT_RESERVED_STAGE_NAME, s->span,
				    "Stage name should not use the same name as reserved stage \"%s\"", s->name);
		if (!g_hash_table_add(names, (char *)s->name))
			lint_report(&c->lint, NULL, LINT_DUPLICATE_STAGE_NAME, s->span,
				    "Duplicate stage name \"%s\", stage names should be unique", s->name);
	}
	check_all_casing(c);
}

void validate_default_args(convert *c)
{
	for (size_t n = 0; n < c->parsed.n; n++) {
		const struct stage *s = c->parsed.items[n];
		struct words_result r;
		if (!words_expand(&c->words, c->arena, s->base_name, &c->globals->words, &r, NULL))
			return;
		g_autoptr(reference) ref = reference_parse_normalized(r.text, NULL);
		if (!ref)
			lint_report(&c->lint, NULL, LINT_INVALID_DEFAULT_ARG_IN_FROM, s->span,
				    "Default value for ARG %s results in empty or invalid base image name",
				    s->base_name);
	}
}

static bool has_word(const char *key, const char *const *words)
{
	g_auto(GStrv) parts = g_strsplit(key, "_", -1);
	for (size_t i = 0; parts[i]; i++)
		for (size_t k = 0; words[k]; k++)
			if (g_ascii_strcasecmp(parts[i], words[k]) == 0)
				return true;
	return false;
}

void validate_secret_key(convert *c, const struct instruction *i, const char *instruction, const char *key)
{
	static const char *const secret[] = {"apikey", "auth",   "credential", "credentials", "key", "password",
					     "pword",  "passwd", "secret",     "token",       NULL};
	static const char *const harmless[] = {"public", "file", "version", NULL};
	if (!c->lint.sink || !has_word(key, secret) || has_word(key, harmless))
		return;
	lint_report(&c->lint, &i->comments, LINT_SECRETS_USED_IN_ARG_OR_ENV, i->span,
		    "Do not use ARG or ENV instructions for sensitive data (%s %s)", instruction,
		    text_quote(c->arena, key));
}

void validate_once(convert *c, const struct instruction *i, struct span *last)
{
	if (last->first)
		lint_report(&c->lint, &i->comments, LINT_MULTIPLE_INSTRUCTIONS_DISALLOWED, *last,
			    "Multiple %s instructions should not be used in the same stage because only the last one "
			    "will be used",
			    i->name);
	*last = i->span;
}

/* Returns the names that a FROM may use: the environment and the ARGs before the first FROM. */
static const char *const *known_args(convert *c)
{
	struct vec names = {0};
	for (const char **key = env_keys(c->globals); *key; key++)
		arena_push(c->arena, &names, *key);
	for (struct hash_walk it = hash_walk(c->arg_infos); hash_walk_next(&it);)
		if (!env_get(c->globals, it.key))
			arena_push(c->arena, &names, it.key);
	return arena_strv(c->arena, &names);
}

void validate_from(convert *c, const struct stage *s, const struct vec *unmatched)
{
	size_t weight = c->globals->entries.n + g_hash_table_size(c->arg_infos);
	if (!c->lint.sink || !unmatched->n || !convert_spend(c, unmatched->n * weight * 16, NULL))
		return;
	const char *const *known = known_args(c);
	for (size_t i = 0; i < unmatched->n; i++) {
		const char *name = unmatched->items[i];
		if (g_strv_contains(known, name))
			continue;
		g_autofree char *match = suggest_find(name, known, true);
		lint_report(&c->lint, &s->from->comments, LINT_UNDEFINED_ARG_IN_FROM, s->span,
			    "FROM argument '%s' is not declared%s%s%s", name, match ? " (did you mean " : "",
			    match ? match : "", match ? "?)" : "");
	}
}

void validate_from_platform(convert *c, const struct stage *s, const struct words_result *r)
{
	struct platform p;
	const struct vec *comments = &s->from->comments;
	if (r->matched.n == 1 && !r->unmatched.n && strcmp(r->matched.items[0], "TARGETPLATFORM") == 0 &&
	    g_strcmp0(env_get(c->globals, "TARGETPLATFORM"), r->text) == 0)
		lint_report(&c->lint, comments, LINT_REDUNDANT_TARGET_PLATFORM, s->span,
			    "Setting platform to predefined %s in FROM is redundant as this is the default behavior",
			    s->from->from.platform);
	if (r->matched.n || r->unmatched.n || !platform_parse(r->text, &p, NULL))
		return;
	if (strstr(s->name, p.os) || strstr(s->name, p.architecture))
		return;
	lint_report(&c->lint, comments, LINT_FROM_PLATFORM_FLAG_CONST_DISALLOWED, s->span,
		    "FROM --platform flag should not use constant value %s", text_quote(c->arena, r->text));
}

void validate_base_platform(convert *c, const struct stage *s, const struct platform *expected)
{
	if (image_config_fits(s->image, expected))
		return;
	struct platform want = *expected, have = *image_config_platform(c->arena, s->image);
	platform_normalize(&want);
	platform_normalize(&have);
	g_autofree char *wanted = platform_format_all(&want), *got = platform_format_all(&have);
	lint_report(&c->lint, NULL, LINT_INVALID_BASE_IMAGE_PLATFORM, s->span,
		    "Base image %s was pulled with platform \"%s\", expected \"%s\" for current build",
		    s->original_base, got, wanted);
}

/* "." and "/" are ignored only if a pattern matches everything. */
static bool ignores_root(const struct patterns *p)
{
	for (size_t i = 0; i < patterns_count(p); i++) {
		bool negated;
		const char *text = patterns_text(p, i, &negated);
		if (!negated && (strcmp(text, "*") == 0 || strcmp(text, "**") == 0 || strcmp(text, "**/*") == 0))
			return true;
	}
	return false;
}

void validate_copy_source(convert *c, const struct instruction *i, const char *source)
{
	if (!c->lint.sink || !c->ignore || patterns_has_exclusions(c->ignore))
		return;
	const char *path = text_path_clean(c->arena, source);
	if ((strcmp(path, ".") == 0 || strcmp(path, "/") == 0) && !ignores_root(c->ignore))
		return;
	if (!patterns_match(c->ignore, path))
		return;
	lint_report(&c->lint, &i->comments, LINT_COPY_IGNORED_FILE, i->span,
		    "Attempting to %s file %s that is excluded by .dockerignore",
		    i->kind == INSTRUCTION_ADD ? "Add" : "Copy", text_quote(c->arena, path));
}
