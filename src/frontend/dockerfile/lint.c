/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/dockerfile/lint.h"
#include "format/gotype.h"
#include "format/url_redact.h"
#include "frontend/dockerfile/scan_line.h"
#include "frontend/dockerfile/text.h"
#include <stdarg.h>
#include <string.h>

static const struct {
	const char *name, *slug, *description;
} rules[] = {
#define LINT_ROW(id, name, slug, description) {name, slug, description},
	LINT_RULES(LINT_ROW)
#undef LINT_ROW
};

const char *lint_rule_name(enum lint_rule rule)
{
	return rules[rule].name;
}

const char *lint_rule_description(enum lint_rule rule)
{
	return rules[rule].description;
}

char *lint_rule_url(enum lint_rule rule)
{
	if (!*rules[rule].slug)
		return g_strdup("");
	return g_strdup_printf("https://docs.docker.com/go/dockerfile/rule/%s/", rules[rule].slug);
}

static void add_names(struct lint *l, const char *value, bool *all, struct vec *names)
{
	const char *text = text_trim(l->a, value);
	if (strcmp(text, "all") == 0) {
		*all = true;
		return;
	}
	g_auto(GStrv) parts = g_strsplit(text, ",", -1);
	for (size_t i = 0; parts[i]; i++)
		arena_push(l->a, names, text_trim(l->a, parts[i]));
}

static bool invalid_option(const char *option, GError **error)
{
	g_autofree char *quoted = go_quote(option);
	return error_set(error, ERROR_INVALID_ARGUMENT, "invalid check option %s", quoted);
}

static bool configure_part(struct lint *l, const char *part, GError **error)
{
	const char *equals = strchr(part, '=');
	if (!equals)
		return invalid_option(part, error);
	const char *key = text_trim(l->a, arena_strndup(l->a, part, (size_t)(equals - part)));
	if (strcmp(key, "skip") == 0) {
		add_names(l, equals + 1, &l->skip_all, &l->skip);
		return true;
	}
	if (strcmp(key, "experimental") == 0) {
		add_names(l, equals + 1, &l->experimental_all, &l->experimental);
		return true;
	}
	if (strcmp(key, "error") != 0)
		return invalid_option(key, error);
	return bool_parse(text_trim(l->a, equals + 1), &l->as_error, error) ||
	       error_prefix(error, "failed to parse check option %s: ", text_quote(l->a, part));
}

bool lint_configure(struct lint *l, const char *options, GError **error)
{
	const char *text = text_trim(l->a, options);
	if (!*text)
		return true;
	g_auto(GStrv) parts = g_strsplit(text, ";", 3);
	for (size_t i = 0; parts[i]; i++)
		if (!configure_part(l, parts[i], error))
			return false;
	return true;
}

/* Returns the value of the first "check=" comment up to its first blank, or NULL. */
static const char *check_comment(arena *a, const struct vec *comments)
{
	for (size_t i = 0; i < comments->n; i++) {
		const char *text = comments->items[i];
		struct directive_reader d = {.comment = "", .escape = '\\'};
		bool found = false;
		if (!directive_reader_line(&d, a, text, text + strlen(text), &found, NULL) || !found ||
		    strcmp(d.key, "check") != 0)
			continue;
		return arena_strndup(a, d.value, strcspn(d.value, " "));
	}
	return NULL;
}

static bool is_on(const struct lint *l, enum lint_rule rule)
{
	const char *name = rules[rule].name;
	if (rule == LINT_INVALID_DEFINITION_DESCRIPTION)
		return l->experimental_all || vec_has(&l->experimental, name);
	return !l->skip_all && !vec_has(&l->skip, name);
}

static bool is_on_here(const struct lint *l, const struct vec *comments, enum lint_rule rule)
{
	const char *options = comments ? check_comment(l->a, comments) : NULL;
	if (!options)
		return is_on(l, rule);
	struct lint merged = *l;
	merged.skip = merged.experimental = (struct vec){0};
	for (size_t i = 0; i < l->skip.n; i++)
		arena_push(l->a, &merged.skip, l->skip.items[i]);
	for (size_t i = 0; i < l->experimental.n; i++)
		arena_push(l->a, &merged.experimental, l->experimental.items[i]);
	return is_on(lint_configure(&merged, options, NULL) ? &merged : l, rule);
}

void lint_report(struct lint *l, const struct vec *comments, enum lint_rule rule, struct span span, const char *format,
		 ...)
{
	if (!l || !l->sink || !is_on_here(l, comments, rule))
		return;
	va_list list;
	va_start(list, format);
	g_autofree char *whole = g_strdup_vprintf(format, list);
	char *message = arena_take(l->a, url_redact_copy(whole));
	va_end(list);
	if (!vec_has(&l->found, rules[rule].name))
		arena_push(l->a, &l->found, rules[rule].name);
	struct lint_finding finding = {rule, span, message};
	l->sink(l->user, &finding);
}

bool lint_finish(const struct lint *l, GError **error)
{
	if (!l->as_error || !l->found.n)
		return true;
	g_autofree char *names = vec_join(&l->found, ", ");
	return error_set(error, ERROR_UNKNOWN, "lint violation found for rules: %s", names);
}
