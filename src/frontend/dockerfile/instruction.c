/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/dockerfile/instruction.h"
#include "base/text.h"
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
	const struct builder_flag *flags; /* those that the instruction has */
	struct lint *lint;
};

#define FLAG(word, type, member)                                                                                       \
	{                                                                                                              \
		word, type, offsetof(struct instruction, member)                                                       \
	}
static const struct builder_flag add_flags[] = {
	FLAG("chown", FLAG_TEXT, copy.chown),       FLAG("chmod", FLAG_TEXT, copy.chmod),
	FLAG("link", FLAG_BOOL, copy.link),         FLAG("keep-git-dir", FLAG_MAYBE, copy.keep_git_dir),
	FLAG("checksum", FLAG_TEXT, copy.checksum), FLAG("unpack", FLAG_MAYBE, copy.unpack),
	FLAG("exclude", FLAG_LIST, copy.exclude),   {0},
};
static const struct builder_flag copy_flags[] = {
	FLAG("chown", FLAG_TEXT, copy.chown),
	FLAG("from", FLAG_TEXT, copy.from),
	FLAG("chmod", FLAG_TEXT, copy.chmod),
	FLAG("link", FLAG_BOOL, copy.link),
	FLAG("exclude", FLAG_LIST, copy.exclude),
	FLAG("parents", FLAG_BOOL, copy.parents),
	{0},
};
static const struct builder_flag from_flags[] = {FLAG("platform", FLAG_TEXT, from.platform), {0}};
static const struct builder_flag run_flags[] = {
	FLAG("mount", FLAG_LIST, run.mounts),
	FLAG("network", FLAG_TEXT, run.network),
	FLAG("security", FLAG_TEXT, run.security),
	FLAG("device", FLAG_LIST, run.devices),
	{0},
};

static bool read_flags(struct parse *p, GError **error)
{
	return builder_flags_parse(p->a, &p->node->flags, p->flags, p->i, error);
}

static bool need_one(struct parse *p, GError **error)
{
	return p->node->args.n ||
	       error_set(error, ERROR_INVALID_ARGUMENT, "%s requires at least one argument", keyword_upper(p->i->kind));
}

/* --- ENV, LABEL, ARG --- */

static bool blank_name(struct parse *p, GError **error)
{
	return error_set(error, ERROR_INVALID_ARGUMENT, "%s names can not be blank", keyword_upper(p->i->kind));
}

static bool parse_pairs(struct parse *p, GError **error)
{
	if (!read_flags(p, error) || !need_one(p, error))
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

static bool parse_copy(struct parse *p, GError **error)
{
	const struct vec *args = &p->node->args;
	struct instruction_copy *copy = &p->i->copy;
	copy->unpack = copy->keep_git_dir = -1;
	if (args->n < 2)
		return error_set(
			error, ERROR_INVALID_ARGUMENT,
			"%s requires at least two arguments, but only one was provided. Destination could not be "
			"determined",
			keyword_upper(p->i->kind));
	if (!read_flags(p, error))
		return false;
	copy->dest = args->items[args->n - 1];
	if (heredoc_parse(p->a, copy->dest))
		return error_set(error, ERROR_INVALID_ARGUMENT, "%s cannot accept a heredoc as a destination",
				 keyword_upper(p->i->kind));
	for (size_t i = 0; i + 1 < args->n; i++) {
		struct heredoc *doc = heredoc_parse(p->a, args->items[i]);
		if (!doc) {
			arena_push(p->a, &copy->sources, args->items[i]);
			continue;
		}
		for (size_t k = 0; k < p->node->heredocs.n;
		     k++) { /* of several with the same name, the last body is used */
			const struct heredoc *body = p->node->heredocs.items[k];
			if (strcmp(body->name, doc->name) == 0)
				doc->content = body->content;
		}
		if (doc->chomp)
			doc->content = heredoc_chomp(p->a, doc->content);
		arena_push(p->a, &copy->heredocs, doc);
	}
	return true;
}

/* --- FROM --- */

static bool is_stage_name(const char *name)
{
	return g_ascii_islower(*name) && !name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.")];
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
	struct instruction_from *from = &p->i->from;
	check_from(p);
	from->stage_name = "";
	if (args->n == 3 && g_ascii_strcasecmp(args->items[1], "as") == 0) {
		from->stage_name = text_lower(p->a, args->items[2]);
		if (!is_stage_name(from->stage_name))
			return error_set(
				error, ERROR_INVALID_ARGUMENT,
				"invalid name for build stage: %s, name can't start with a number or contain symbols",
				text_quote(p->a, args->items[2]));
	} else if (args->n != 1) {
		return error_set(error, ERROR_INVALID_ARGUMENT, "FROM requires either one or three arguments");
	}
	if (!read_flags(p, error))
		return false;
	from->image = args->items[0];
	from->doc = doc_comment(&p->node->comments, from->stage_name);
	if (*from->stage_name)
		check_description(p, &from->stage_name, 1);
	return true;
}

/* --- commands --- */

static bool parse_command(struct parse *p, GError **error)
{
	p->i->command = (struct instruction_command){p->node->args, p->node->json};
	return read_flags(p, error);
}

static bool parse_run(struct parse *p, GError **error)
{
	struct instruction_run *run = &p->i->run;
	run->command = (struct instruction_command){p->node->args, p->node->json};
	run->heredocs = p->node->heredocs;
	if (!read_flags(p, error) || !devices_check(p->a, &run->devices, error) ||
	    !mounts_check(p->a, &run->mounts, error))
		return false;
	if (run->network && strcmp(run->network, "default") != 0 && strcmp(run->network, "none") != 0 &&
	    strcmp(run->network, "host") != 0)
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid network mode %s",
				 text_quote(p->a, run->network));
	if (run->security && strcmp(run->security, "sandbox") != 0 && strcmp(run->security, "insecure") != 0)
		return error_set(error, ERROR_INVALID_ARGUMENT, "security %s is not valid",
				 text_quote(p->a, run->security));
	return true;
}

static bool parse_shell(struct parse *p, GError **error)
{
	if (!parse_command(p, error) || !need_one(p, error))
		return false;
	return p->node->json ||
	       error_set(error, ERROR_INVALID_ARGUMENT, "SHELL requires the arguments to be in JSON form");
}

struct health_flags {
	const char *times[4], *retries;
};
#define HEALTH(word, member)                                                                                           \
	{                                                                                                              \
		word, FLAG_TEXT, offsetof(struct health_flags, member)                                                 \
	}
static const struct builder_flag health_flags[] = {HEALTH("interval", times[0]),     HEALTH("timeout", times[1]),
						   HEALTH("start-period", times[2]), HEALTH("start-interval", times[3]),
						   HEALTH("retries", retries),       {0}};

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

static bool parse_healthcheck(struct parse *p, GError **error)
{
	const struct vec *args = &p->node->args;
	struct healthcheck *h = &p->i->health;
	struct health_flags f = {0};
	struct vec test = {0};
	if (!need_one(p, error))
		return false;
	const char *type = text_upper(p->a, args->items[0]);
	if (strcmp(type, "NONE") == 0) {
		arena_push(p->a, &test, type);
		h->test = arena_strv(p->a, &test);
		return args->n == 1 || error_set(error, ERROR_INVALID_ARGUMENT, "HEALTHCHECK NONE takes no arguments");
	}
	if (!builder_flags_parse(p->a, &p->node->flags, p->flags, &f, error))
		return false;
	if (strcmp(type, "CMD") != 0)
		return error_set(error, ERROR_INVALID_ARGUMENT, "Unknown type %s in HEALTHCHECK (try CMD)",
				 text_quote(p->a, type));
	if (args->n < 2)
		return error_set(error, ERROR_INVALID_ARGUMENT, "Missing command after HEALTHCHECK CMD");
	arena_push(p->a, &test, p->node->json ? "CMD" : "CMD-SHELL");
	for (size_t i = 1; i < args->n; i++)
		arena_push(p->a, &test, args->items[i]);
	h->test = arena_strv(p->a, &test);
	int64_t *times[] = {&h->interval_ns, &h->timeout_ns, &h->start_period_ns, &h->start_interval_ns};
	for (size_t i = 0; i < G_N_ELEMENTS(times); i++) {
		if (!f.times[i] || !*f.times[i])
			continue;
		if (!duration_parse(f.times[i], times[i], error))
			return false;
		if (*times[i] != 0 && *times[i] < NS_PER_MS)
			return error_set(error, ERROR_INVALID_ARGUMENT, "Interval \"%s\" cannot be less than 1ms",
					 p->flags[i].name);
	}
	return parse_retries(f.retries, &h->retries, error);
}

/* --- the rest --- */

static bool parse_expose(struct parse *p, GError **error)
{
	if (!need_one(p, error) || !read_flags(p, error))
		return false;
	for (size_t i = 0; i < p->node->args.n; i++)
		arena_push(p->a, &p->i->words, p->node->args.items[i]);
	qsort(p->i->words.items, p->i->words.n, sizeof(void *), text_order);
	return true;
}

static bool parse_volume(struct parse *p, GError **error)
{
	if (!need_one(p, error) || !read_flags(p, error))
		return false;
	for (size_t i = 0; i < p->node->args.n; i++) {
		char *path = text_trim(p->a, p->node->args.items[i]);
		if (!*path)
			return error_set(error, ERROR_INVALID_ARGUMENT, "VOLUME specified can not be an empty string");
		arena_push(p->a, &p->i->words, path);
	}
	return true;
}

static bool parse_text(struct parse *p, GError **error)
{
	if (p->node->args.n != 1)
		return error_set(error, ERROR_INVALID_ARGUMENT, "%s requires exactly one argument",
				 keyword_upper(p->i->kind));
	p->i->text = p->node->args.items[0];
	return p->i->kind == INSTRUCTION_STOPSIGNAL || read_flags(p, error);
}

static bool parse_maintainer(struct parse *p, GError **error)
{
	lint_report(p->lint, &p->node->comments, LINT_MAINTAINER_DEPRECATED, p->node->span,
		    "Maintainer instruction is deprecated in favor of using label");
	return parse_text(p, error);
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
	if (!need_one(p, error) || !read_flags(p, error))
		return false;
	const char *word = text_upper(p->a, text_trim(p->a, p->node->args.items[0]));
	if (strcmp(word, "ONBUILD") == 0)
		return error_set(error, ERROR_INVALID_ARGUMENT, "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
	if (strcmp(word, "MAINTAINER") == 0 || strcmp(word, "FROM") == 0)
		return error_set(error, ERROR_INVALID_ARGUMENT, "%s isn't allowed as an ONBUILD trigger", word);
	p->i->text = trigger_text(p);
	return true;
}

static const struct {
	bool (*parse)(struct parse *p, GError **error);
	const struct builder_flag *flags;
} parsers[INSTRUCTION_COUNT] = {
	[INSTRUCTION_ADD] = {parse_copy, add_flags},
	[INSTRUCTION_ARG] = {parse_arg, NULL},
	[INSTRUCTION_CMD] = {parse_command, NULL},
	[INSTRUCTION_COPY] = {parse_copy, copy_flags},
	[INSTRUCTION_ENTRYPOINT] = {parse_command, NULL},
	[INSTRUCTION_ENV] = {parse_pairs, NULL},
	[INSTRUCTION_EXPOSE] = {parse_expose, NULL},
	[INSTRUCTION_FROM] = {parse_from, from_flags},
	[INSTRUCTION_HEALTHCHECK] = {parse_healthcheck, health_flags},
	[INSTRUCTION_LABEL] = {parse_pairs, NULL},
	[INSTRUCTION_MAINTAINER] = {parse_maintainer, NULL},
	[INSTRUCTION_ONBUILD] = {parse_onbuild, NULL},
	[INSTRUCTION_RUN] = {parse_run, run_flags},
	[INSTRUCTION_SHELL] = {parse_shell, NULL},
	[INSTRUCTION_STOPSIGNAL] = {parse_text, NULL},
	[INSTRUCTION_USER] = {parse_text, NULL},
	[INSTRUCTION_VOLUME] = {parse_volume, NULL},
	[INSTRUCTION_WORKDIR] = {parse_text, NULL},
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
	struct parse p = {a, node, i, parsers[k->kind].flags, lint};
	return parsers[k->kind].parse(&p, error) ? i : NULL;
}
