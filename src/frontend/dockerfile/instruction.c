/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/dockerfile/instruction.h"
#include "base/time.h"
#include "format/gotype.h"
#include "frontend/dockerfile/builder_flags.h"
#include "frontend/dockerfile/lint.h"
#include "frontend/dockerfile/devices.h"
#include "frontend/dockerfile/mounts.h"
#include "frontend/dockerfile/suggest.h"
#include "frontend/dockerfile/text.h"
#include <string.h>

static const struct keyword keywords[] = {
#define KEYWORD_ROW(NAME, name, form, heredocs) {#name, INSTRUCTION_##NAME, form, heredocs},
	INSTRUCTIONS(KEYWORD_ROW)
#undef KEYWORD_ROW
};
static const char *const upper_names[] = {
#define UPPER_ROW(NAME, name, form, heredocs) #NAME,
	INSTRUCTIONS(UPPER_ROW)
#undef UPPER_ROW
		NULL};

const struct keyword *keyword_find(const char *word)
{
	for (size_t i = 0; i < G_N_ELEMENTS(keywords); i++)
		if (g_ascii_strcasecmp(keywords[i].name, word) == 0)
			return &keywords[i];
	return NULL;
}

const char *keyword_upper(enum instruction_kind kind)
{
	return upper_names[kind];
}

/* Input and output of a parse function. */
struct parse {
	arena *a;
	const struct node *node;
	struct instruction *i;
	struct lint *lint;
};

#define FLAG(word, type, member)                                                                                       \
	{                                                                                                              \
		word, type, offsetof(struct instruction, member)                                                       \
	}
static const struct builder_flag add_flags[] = {
	FLAG("chown", FLAG_TEXT, chown),       FLAG("chmod", FLAG_TEXT, chmod),
	FLAG("link", FLAG_BOOL, link),         FLAG("keep-git-dir", FLAG_MAYBE, keep_git_dir),
	FLAG("checksum", FLAG_TEXT, checksum), FLAG("unpack", FLAG_MAYBE, unpack),
	FLAG("exclude", FLAG_LIST, exclude),   {0}};
static const struct builder_flag copy_flags[] = {FLAG("chown", FLAG_TEXT, chown),
						 FLAG("from", FLAG_TEXT, from),
						 FLAG("chmod", FLAG_TEXT, chmod),
						 FLAG("link", FLAG_BOOL, link),
						 FLAG("exclude", FLAG_LIST, exclude),
						 FLAG("parents", FLAG_BOOL, parents),
						 {0}};
static const struct builder_flag from_flags[] = {FLAG("platform", FLAG_TEXT, platform), {0}};
static const struct builder_flag run_flags[] = {FLAG("mount", FLAG_LIST, mounts),
						FLAG("network", FLAG_TEXT, network),
						FLAG("security", FLAG_TEXT, security),
						FLAG("device", FLAG_LIST, devices),
						{0}};

static bool read_flags(struct parse *p, const struct builder_flag *rows, GError **error)
{
	return builder_flags_parse(p->a, &p->node->flags, rows, p->i, error);
}

static bool need_one(struct parse *p, GError **error)
{
	if (p->node->args.n)
		return true;
	return error_set(error, ERROR_INVALID_ARGUMENT, "%s requires at least one argument", keyword_upper(p->i->kind));
}

static bool need_exactly_one(struct parse *p, GError **error)
{
	if (p->node->args.n == 1)
		return true;
	return error_set(error, ERROR_INVALID_ARGUMENT, "%s requires exactly one argument", keyword_upper(p->i->kind));
}

/* --- ENV, LABEL, ARG --- */

static bool blank_name(struct parse *p, GError **error)
{
	return error_set(error, ERROR_INVALID_ARGUMENT, "%s names can not be blank", keyword_upper(p->i->kind));
}

static bool parse_pairs(struct parse *p, GError **error)
{
	if (!read_flags(p, NULL, error) || !need_one(p, error))
		return false;
	const struct vec *args = &p->node->args;
	for (size_t i = 0; i + 2 < args->n; i += 3) {
		struct pair *pair = arena_make(p->a, struct pair);
		*pair = (struct pair){args->items[i], args->items[i + 1], !*vec_at(args, char *, i + 2), ""};
		if (!*pair->key)
			return blank_name(p, error);
		arena_push(p->a, &p->i->pairs, pair);
	}
	return true;
}

static bool parse_env(struct parse *p, GError **error)
{
	return parse_pairs(p, error);
}

static bool parse_label(struct parse *p, GError **error)
{
	return parse_pairs(p, error);
}

/* Returns the comment that begins with the name. */
static const char *doc_comment(const struct vec *comments, const char *name)
{
	size_t n = strlen(name);
	for (size_t i = 0; n && i < comments->n; i++) {
		const char *text = comments->items[i];
		if (strncmp(text, name, n) == 0 && text[n] == ' ')
			return text + n + 1;
	}
	return "";
}

static void check_description(struct parse *p, const char *const *keys, size_t n)
{
	const struct vec *comments = &p->node->comments;
	if (!comments->n || !n)
		return;
	const char *last = comments->items[comments->n - 1];
	size_t len = strcspn(last, " ");
	for (size_t i = 0; i < n; i++)
		if (strlen(keys[i]) == len && strncmp(keys[i], last, len) == 0)
			return;
	lint_report(p->lint, comments, LINT_INVALID_DEFINITION_DESCRIPTION, p->node->span,
		    "Comment for %s should follow the format: `# %s <description>`", keyword_upper(p->i->kind),
		    n > 1 ? "<arg_key>" : keys[0]);
}

static bool parse_arg(struct parse *p, GError **error)
{
	if (!need_one(p, error))
		return false;
	struct vec keys = {0};
	for (size_t i = 0; i < p->node->args.n; i++) {
		const char *word = text_valid(p->a, p->node->args.items[i]), *equals = strchr(word, '=');
		struct pair *pair = arena_make(p->a, struct pair);
		pair->key = equals ? arena_strndup(p->a, word, (size_t)(equals - word)) : word;
		pair->value = equals ? equals + 1 : NULL;
		pair->doc = doc_comment(&p->node->comments, pair->key);
		if (!*pair->key)
			return blank_name(p, error);
		arena_push(p->a, &p->i->pairs, pair);
		arena_push(p->a, &keys, pair->key);
	}
	check_description(p, (const char *const *)keys.items, keys.n);
	return true;
}

/* --- COPY, ADD --- */

static const struct heredoc *heredoc_named(const struct vec *docs, const char *name)
{
	for (size_t i = docs->n; i > 0; i--) /* if two have the same name, the last body is used for both */
		if (strcmp(vec_at(docs, struct heredoc *, i - 1)->name, name) == 0)
			return docs->items[i - 1];
	return NULL;
}

static bool parse_sources(struct parse *p, GError **error)
{
	const struct vec *args = &p->node->args;
	p->i->dest = args->items[args->n - 1];
	if (heredoc_parse(p->a, p->i->dest))
		return error_set(error, ERROR_INVALID_ARGUMENT, "%s cannot accept a heredoc as a destination",
				 keyword_upper(p->i->kind));
	for (size_t i = 0; i + 1 < args->n; i++) {
		struct heredoc *doc = heredoc_parse(p->a, args->items[i]);
		if (!doc) {
			arena_push(p->a, &p->i->args, args->items[i]);
			continue;
		}
		const struct heredoc *body = heredoc_named(&p->node->heredocs, doc->name);
		doc->content = body ? body->content : "";
		if (doc->chomp)
			doc->content = heredoc_chomp(p->a, doc->content);
		arena_push(p->a, &p->i->heredocs, doc);
	}
	return true;
}

static bool parse_transfer(struct parse *p, const struct builder_flag *rows, GError **error)
{
	if (p->node->args.n < 2)
		return error_set(
			error, ERROR_INVALID_ARGUMENT,
			"%s requires at least two arguments, but only one was provided. Destination could not be "
			"determined",
			keyword_upper(p->i->kind));
	return read_flags(p, rows, error) && parse_sources(p, error);
}

static bool parse_add(struct parse *p, GError **error)
{
	return parse_transfer(p, add_flags, error);
}

static bool parse_copy(struct parse *p, GError **error)
{
	return parse_transfer(p, copy_flags, error);
}

/* --- FROM --- */

static bool is_stage_name(const char *name)
{
	if (!g_ascii_islower(*name))
		return false;
	for (; *name; name++)
		if (!g_ascii_islower(*name) && !g_ascii_isdigit(*name) && !strchr("-_.", *name))
			return false;
	return true;
}

static void check_from(struct parse *p)
{
	const struct vec *args = &p->node->args, *comments = &p->node->comments;
	const char *word = p->node->keyword;
	if (args->n == 3 && strcmp(args->items[2], text_lower(p->a, args->items[2])) != 0)
		lint_report(p->lint, comments, LINT_STAGE_NAME_CASING, p->node->span,
			    "Stage name '%s' should be lowercase", vec_at(args, char *, 2));
	if (args->n < 3)
		return;
	bool lower = strcmp(word, text_lower(p->a, word)) == 0;
	if (!lower && strcmp(word, text_upper(p->a, word)) != 0)
		return;
	const char *as = args->items[1];
	if (strcmp(as, lower ? text_lower(p->a, as) : text_upper(p->a, as)) != 0)
		lint_report(p->lint, comments, LINT_FROM_AS_CASING, p->node->span,
			    "'%s' and '%s' keywords' casing do not match", as, word);
}

static bool parse_from(struct parse *p, GError **error)
{
	const struct vec *args = &p->node->args;
	check_from(p);
	p->i->stage_name = "";
	if (args->n == 3 && g_ascii_strcasecmp(args->items[1], "as") == 0) {
		p->i->stage_name = text_lower(p->a, args->items[2]);
		if (!is_stage_name(p->i->stage_name)) {
			g_autofree char *quoted = go_quote(args->items[2]);
			return error_set(
				error, ERROR_INVALID_ARGUMENT,
				"invalid name for build stage: %s, name can't start with a number or contain symbols",
				quoted);
		}
	} else if (args->n != 1) {
		return error_set(error, ERROR_INVALID_ARGUMENT, "FROM requires either one or three arguments");
	}
	if (!read_flags(p, from_flags, error))
		return false;
	p->i->from = args->items[0];
	p->i->doc = doc_comment(&p->node->comments, p->i->stage_name);
	if (*p->i->stage_name)
		check_description(p, &p->i->stage_name, 1);
	return true;
}

/* --- commands --- */

static bool parse_command(struct parse *p, const struct builder_flag *rows, GError **error)
{
	if (!read_flags(p, rows, error))
		return false;
	p->i->args = p->node->args;
	p->i->json = p->node->json;
	p->i->heredocs = p->node->heredocs;
	return true;
}

static bool parse_run(struct parse *p, GError **error)
{
	if (!parse_command(p, run_flags, error) || !devices_check(p->a, &p->i->devices, error) ||
	    !mounts_check(p->a, &p->i->mounts, error))
		return false;
	if (p->i->network && strcmp(p->i->network, "default") != 0 && strcmp(p->i->network, "none") != 0 &&
	    strcmp(p->i->network, "host") != 0) {
		g_autofree char *quoted = go_quote(p->i->network);
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid network mode %s", quoted);
	}
	if (p->i->security && strcmp(p->i->security, "sandbox") != 0 && strcmp(p->i->security, "insecure") != 0) {
		g_autofree char *quoted = go_quote(p->i->security);
		return error_set(error, ERROR_INVALID_ARGUMENT, "security %s is not valid", quoted);
	}
	return true;
}

static bool parse_cmd(struct parse *p, GError **error)
{
	return parse_command(p, NULL, error);
}

static bool parse_entrypoint(struct parse *p, GError **error)
{
	return parse_command(p, NULL, error);
}

static bool parse_shell(struct parse *p, GError **error)
{
	if (!parse_command(p, NULL, error) || !need_one(p, error))
		return false;
	if (!p->i->json)
		return error_set(error, ERROR_INVALID_ARGUMENT, "SHELL requires the arguments to be in JSON form");
	return true;
}

static const char *const health_names[] = {"interval", "timeout", "start-period", "start-interval"};
struct health_flags {
	const char *interval[4], *retries;
};
#define HEALTH(word, member)                                                                                           \
	{                                                                                                              \
		word, FLAG_TEXT, offsetof(struct health_flags, member)                                                 \
	}
static const struct builder_flag health_flags[] = {
	HEALTH("interval", interval[0]),       HEALTH("timeout", interval[1]), HEALTH("start-period", interval[2]),
	HEALTH("start-interval", interval[3]), HEALTH("retries", retries),     {0}};

static bool parse_interval(const char *name, const char *text, int64_t *ret, GError **error)
{
	if (!text || !*text)
		return true;
	if (!duration_parse(text, ret, error))
		return false;
	if (*ret != 0 && *ret < NS_PER_MS)
		return error_set(error, ERROR_INVALID_ARGUMENT, "Interval \"%s\" cannot be less than 1ms", name);
	return true;
}

static bool parse_retries(const char *text, int *ret, GError **error)
{
	int64_t n = 0;
	if (!text || !*text)
		return true;
	if (!int_parse(text, 10, &n, error))
		return false;
	if (n > INT32_MAX || n < INT32_MIN) {
		g_autofree char *quoted = go_quote(text);
		return error_set(error, ERROR_INVALID_ARGUMENT, "strconv.ParseInt: parsing %s: value out of range",
				 quoted);
	}
	if (n < 0)
		return error_set(error, ERROR_INVALID_ARGUMENT, "--retries cannot be negative (%d)", (int)n);
	*ret = (int)n;
	return true;
}

static const char **health_test(struct parse *p, const char *type, bool command)
{
	struct vec test = {0};
	arena_push(p->a, &test, type);
	for (size_t i = 1; command && i < p->node->args.n; i++)
		arena_push(p->a, &test, p->node->args.items[i]);
	return arena_strv(p->a, &test);
}

static bool parse_healthcheck(struct parse *p, GError **error)
{
	if (!need_one(p, error))
		return false;
	struct healthcheck *h = arena_make(p->a, struct healthcheck);
	p->i->health = h;
	const char *type = text_upper(p->a, p->node->args.items[0]);
	if (strcmp(type, "NONE") == 0) {
		h->test = health_test(p, type, false);
		return p->node->args.n == 1 ||
		       error_set(error, ERROR_INVALID_ARGUMENT, "HEALTHCHECK NONE takes no arguments");
	}
	struct health_flags f = {0};
	if (!builder_flags_parse(p->a, &p->node->flags, health_flags, &f, error))
		return false;
	if (strcmp(type, "CMD") != 0) {
		g_autofree char *quoted = go_quote(type);
		return error_set(error, ERROR_INVALID_ARGUMENT, "Unknown type %s in HEALTHCHECK (try CMD)", quoted);
	}
	if (p->node->args.n < 2)
		return error_set(error, ERROR_INVALID_ARGUMENT, "Missing command after HEALTHCHECK CMD");
	h->test = health_test(p, p->node->json ? "CMD" : "CMD-SHELL", true);
	int64_t *times[] = {&h->interval_ns, &h->timeout_ns, &h->start_period_ns, &h->start_interval_ns};
	for (size_t i = 0; i < G_N_ELEMENTS(times); i++)
		if (!parse_interval(health_names[i], f.interval[i], times[i], error))
			return false;
	return parse_retries(f.retries, &h->retries, error);
}

/* --- the rest --- */

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool parse_expose(struct parse *p, GError **error)
{
	if (!need_one(p, error) || !read_flags(p, NULL, error))
		return false;
	for (size_t i = 0; i < p->node->args.n; i++)
		arena_push(p->a, &p->i->args, p->node->args.items[i]);
	qsort(p->i->args.items, p->i->args.n, sizeof(void *), by_text);
	return true;
}

static bool parse_volume(struct parse *p, GError **error)
{
	if (!need_one(p, error) || !read_flags(p, NULL, error))
		return false;
	for (size_t i = 0; i < p->node->args.n; i++) {
		char *path = text_trim(p->a, p->node->args.items[i]);
		if (!*path)
			return error_set(error, ERROR_INVALID_ARGUMENT, "VOLUME specified can not be an empty string");
		arena_push(p->a, &p->i->args, path);
	}
	return true;
}

static bool parse_one_text(struct parse *p, bool flags, GError **error)
{
	if (!need_exactly_one(p, error) || (flags && !read_flags(p, NULL, error)))
		return false;
	p->i->args = p->node->args;
	return true;
}

static bool parse_user(struct parse *p, GError **error)
{
	return parse_one_text(p, true, error);
}

static bool parse_workdir(struct parse *p, GError **error)
{
	return parse_one_text(p, true, error);
}

static bool parse_stopsignal(struct parse *p, GError **error)
{
	return parse_one_text(p, false, error);
}

static bool parse_maintainer(struct parse *p, GError **error)
{
	lint_report(p->lint, &p->node->comments, LINT_MAINTAINER_DEPRECATED, p->node->span,
		    "Maintainer instruction is deprecated in favor of using label");
	return parse_one_text(p, true, error);
}

/* Returns the line without its ONBUILD, and the bodies of its here-documents. */
static const char *trigger_text(struct parse *p)
{
	const char *line = p->node->original, *end = line + strlen(line);
	const char *text = text_skip_space(line, end) + strlen("ONBUILD");
	g_autoptr(GString) s = g_string_new(text_skip_space(text, end));
	for (size_t i = 0; i < p->node->heredocs.n; i++) {
		const struct heredoc *doc = p->node->heredocs.items[i];
		g_string_append_printf(s, "\n%s%s", doc->content, doc->name);
	}
	return arena_strndup(p->a, s->str, s->len);
}

static bool parse_onbuild(struct parse *p, GError **error)
{
	if (!need_one(p, error) || !read_flags(p, NULL, error))
		return false;
	const char *word = text_upper(p->a, text_trim(p->a, p->node->args.items[0]));
	if (strcmp(word, "ONBUILD") == 0)
		return error_set(error, ERROR_INVALID_ARGUMENT, "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
	if (strcmp(word, "MAINTAINER") == 0 || strcmp(word, "FROM") == 0)
		return error_set(error, ERROR_INVALID_ARGUMENT, "%s isn't allowed as an ONBUILD trigger", word);
	arena_push(p->a, &p->i->args, trigger_text(p));
	return true;
}

typedef bool (*parse_function)(struct parse *p, GError **error);
static const parse_function parse_functions[] = {
#define PARSE_ROW(NAME, name, form, heredocs) parse_##name,
	INSTRUCTIONS(PARSE_ROW)
#undef PARSE_ROW
};

struct instruction *instruction_parse(arena *a, const struct node *node, struct lint *lint, GError **error)
{
	const struct keyword *k = keyword_find(node->keyword);
	if (!k) {
		error_set(error, ERROR_INVALID_ARGUMENT, "unknown instruction: %s", node->keyword);
		suggest_to(error, node->keyword, upper_names, false);
		return NULL;
	}
	struct instruction *i = arena_make(a, struct instruction);
	i->kind = k->kind;
	i->name = node->keyword;
	i->code = text_valid(a, text_trim(a, node->original));
	i->span = node->span;
	i->comments = node->comments;
	i->unpack = i->keep_git_dir = -1;
	struct parse p = {a, node, i, lint};
	return parse_functions[k->kind](&p, error) ? i : NULL;
}
