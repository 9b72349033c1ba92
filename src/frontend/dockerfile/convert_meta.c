/* SPDX-License-Identifier: Apache-2.0 */
/* Instructions that change only the image config and the environment (WORKDIR also has a step). */
#include "frontend/dockerfile/convert_shared.h"
#include "base/time.h"
#include "format/gotype.h"
#include "frontend/dockerfile/owner.h"
#include "frontend/dockerfile/ports.h"
#include "frontend/dockerfile/system_path.h"
#include "frontend/dockerfile/text.h"
#include <string.h>

/* --- ENV, LABEL --- */

/* All pairs are expanded before the first variable is set. */
static bool expand_pairs(convert *c, struct stage *s, const struct command *cmd, struct vec *ret, const char **ret_text,
			 GError **error)
{
	g_autoptr(GString) text = g_string_new(keyword_upper(cmd->instruction->kind));
	for (size_t i = 0; i < cmd->instruction->pairs.n; i++) {
		struct pair *pair = arena_make(c->arena, struct pair);
		*pair = *vec_at(&cmd->instruction->pairs, struct pair *, i);
		if (!(pair->key = convert_expand(c, s, cmd, pair->key, error)) ||
		    !(pair->value = convert_expand(c, s, cmd, pair->value, error)))
			return false;
		arena_push(c->arena, ret, pair);
		g_string_append_printf(text, " %s=%s", pair->key, pair->value);
	}
	*ret_text = arena_strndup(c->arena, text->str, text->len);
	return true;
}

static void check_legacy(convert *c, const struct instruction *i, const struct pair *pair)
{
	if (pair->legacy)
		lint_report(&c->lint, &i->comments, LINT_LEGACY_KEY_VALUE_FORMAT, i->span,
			    "\"%s key=value\" should be used instead of legacy \"%s key value\" format", i->name,
			    i->name);
}

bool convert_env(convert *c, struct stage *s, const struct command *cmd, GError **error)
{
	struct vec pairs = {0};
	const char *text;
	if (!expand_pairs(c, s, cmd, &pairs, &text, error))
		return false;
	for (size_t i = 0; i < pairs.n; i++) {
		const struct pair *pair = pairs.items[i];
		check_legacy(c, cmd->instruction, pair);
		validate_secret_key(c, cmd->instruction, "ENV", pair->key);
		if (!env_set(s->state.env, pair->key, pair->value, error) || !convert_spend(c, s->image->env.n, error))
			return false;
		image_config_env_set(c->arena, s->image, pair->key, pair->value);
	}
	convert_commit(c, s, text, false);
	return true;
}

bool convert_label(convert *c, struct stage *s, const struct command *cmd, GError **error)
{
	struct vec pairs = {0};
	const char *text;
	if (!expand_pairs(c, s, cmd, &pairs, &text, error))
		return false;
	for (size_t i = 0; i < pairs.n; i++) {
		const struct pair *pair = pairs.items[i];
		check_legacy(c, cmd->instruction, pair);
		image_config_label_set(c->arena, s->image, pair->key, pair->value);
	}
	convert_commit(c, s, text, false);
	return true;
}

/* --- CMD, ENTRYPOINT, SHELL, HEALTHCHECK --- */

/* Shell form: the command is one argument after the shell. */
void command_with_shell(convert *c, const struct stage *s, struct vec *args)
{
	g_autofree char *line = vec_join(args, " ");
	bool windows = strcmp(s->image->os, "windows") == 0;
	struct vec out = {0};
	for (size_t i = 0; i < s->image->shell.n; i++)
		arena_push(c->arena, &out, s->image->shell.items[i]);
	if (!out.n) {
		arena_push(c->arena, &out, windows ? "cmd" : "/bin/sh");
		arena_push(c->arena, &out, windows ? "/S" : "-c");
		if (windows)
			arena_push(c->arena, &out, "/C");
	}
	arena_push(c->arena, &out, arena_strdup(c->arena, line));
	*args = out;
}

/* Formats ["a" "b"] like Go's %q, [a b] like %v. */
static const char *list_text(convert *c, const char *keyword, const struct vec *list, bool quoted)
{
	g_autoptr(GString) s = g_string_new(keyword);
	g_string_append(s, " [");
	for (size_t i = 0; i < list->n; i++) {
		g_autofree char *item = quoted ? go_quote(list->items[i]) : g_strdup(list->items[i]);
		g_string_append_printf(s, "%s%s", i ? " " : "", item);
	}
	g_string_append_c(s, ']');
	return arena_strndup(c->arena, s->str, s->len);
}

static struct vec command_line(convert *c, struct stage *s, const struct instruction *i, struct span *last)
{
	struct vec args = i->command.args;
	validate_once(c, i, last);
	if (i->command.json)
		return args;
	if (!s->image->shell.n)
		lint_report(&c->lint, &i->comments, LINT_JSON_ARGS_RECOMMENDED, i->span,
			    "JSON arguments recommended for %s to prevent unintended behavior related to OS signals",
			    i->name);
	command_with_shell(c, s, &args);
	return args;
}

bool convert_cmd(convert *c, struct stage *s, const struct command *cmd, GError **error)
{
	s->image->cmd = command_line(c, s, cmd->instruction, &s->cmd);
	s->image->args_escaped = true;
	convert_commit(c, s, list_text(c, "CMD", &s->image->cmd, true), false);
	return true;
}

bool convert_entrypoint(convert *c, struct stage *s, const struct command *cmd, GError **error)
{
	s->image->entrypoint = command_line(c, s, cmd->instruction, &s->entrypoint);
	if (!s->cmd.first)
		s->image->cmd = (struct vec){0};
	convert_commit(c, s, list_text(c, "ENTRYPOINT", &s->image->entrypoint, true), false);
	return true;
}

bool convert_shell(convert *c, struct stage *s, const struct command *cmd, GError **error)
{
	s->image->shell = cmd->instruction->command.args;
	convert_commit(c, s, list_text(c, "SHELL", &s->image->shell, false), false);
	return true;
}

bool convert_healthcheck(convert *c, struct stage *s, const struct command *cmd, GError **error)
{
	const struct healthcheck *h = &cmd->instruction->health;
	validate_once(c, cmd->instruction, &s->healthcheck);
	s->image->health = h;
	g_autofree char *test = g_strjoinv(" ", (char **)h->test);
	g_autofree char *interval = duration_format(h->interval_ns), *timeout = duration_format(h->timeout_ns);
	g_autofree char *start = duration_format(h->start_period_ns), *between = duration_format(h->start_interval_ns);
	convert_commit(
		c, s,
		arena_printf(
			c->arena,
			"HEALTHCHECK {Test:[%s] Interval:%s Timeout:%s StartPeriod:%s StartInterval:%s Retries:%d}",
			test, interval, timeout, start, between, h->retries),
		false);
	return true;
}

/* --- EXPOSE, VOLUME, STOPSIGNAL, USER, MAINTAINER, ONBUILD --- */

bool convert_expose(convert *c, struct stage *s, const struct command *cmd, GError **error)
{
	const struct vec *comments = &cmd->instruction->comments;
	struct vec words = {0}, all = {0};
	for (size_t i = 0; i < cmd->instruction->words.n; i++) {
		struct words_result r;
		if (!words_expand(&c->words, c->arena, cmd->instruction->words.items[i], &s->state.env->words, &r,
				  error))
			return false;
		for (size_t n = 0; n < r.words.n; n++)
			arena_push(c->arena, &words, r.words.items[n]);
	}
	for (size_t i = 0; i < words.n; i++) {
		struct ports p = {0};
		const char *raw = words.items[i];
		bool ok = ports_parse(c->arena, raw, &p, error);
		if (p.upper_case)
			lint_report(&c->lint, comments, LINT_EXPOSE_PROTO_CASING, cmd->instruction->span,
				    "Defined protocol '%s' in EXPOSE instruction should be lowercase", raw);
		if (p.host_mapping)
			lint_report(&c->lint, comments, LINT_EXPOSE_INVALID_FORMAT, cmd->instruction->span,
				    "EXPOSE instruction should not define an IP address or host-port mapping, found "
				    "'%s'",
				    raw);
		if (!ok)
			return false;
		for (size_t n = 0; n < p.list.n; n++)
			arena_push(c->arena, &all, p.list.items[n]);
		if (!convert_spend(c, p.list.n * 16, error))
			return false;
	}
	g_autoptr(GHashTable) known = g_hash_table_new(g_str_hash, g_str_equal);
	for (size_t i = 0; i < s->image->ports.n; i++)
		g_hash_table_add(known, s->image->ports.items[i]);
	for (size_t i = 0; i < all.n; i++)
		if (g_hash_table_add(known, all.items[i]))
			arena_push(c->arena, &s->image->ports, all.items[i]);
	convert_commit(c, s, list_text(c, "EXPOSE", &all, false), false);
	return true;
}

bool convert_volume(convert *c, struct stage *s, const struct command *cmd, GError **error)
{
	struct vec list = {0};
	for (size_t i = 0; i < cmd->instruction->words.n; i++) {
		const char *path = convert_expand(c, s, cmd, cmd->instruction->words.items[i], error);
		if (!path)
			return false;
		arena_push(c->arena, &list, path);
	}
	for (size_t i = 0; i < list.n; i++) {
		if (!*vec_at(&list, char *, i))
			return error_set(error, ERROR_INVALID_ARGUMENT, "VOLUME specified can not be an empty string");
		if (!convert_spend(c, s->image->volumes.n, error))
			return false;
		image_config_set_add(c->arena, &s->image->volumes, list.items[i]);
	}
	convert_commit(c, s, list_text(c, "VOLUME", &list, false), false);
	return true;
}

static bool is_signal(const char *text)
{
	static const char *const names[] = {"ABRT", "ALRM", "BUS",   "CHLD",   "CLD",  "CONT", "FPE",    "HUP",
					    "ILL",  "INT",  "IO",    "IOT",    "KILL", "PIPE", "POLL",   "PROF",
					    "PWR",  "QUIT", "SEGV",  "STKFLT", "STOP", "SYS",  "TERM",   "TRAP",
					    "TSTP", "TTIN", "TTOU",  "URG",    "USR1", "USR2", "VTALRM", "WINCH",
					    "XCPU", "XFSZ", "RTMIN", "RTMAX",  NULL};
	int64_t n;
	if (int_parse(text, 10, &n, NULL))
		return n != 0;
	g_autofree char *upper = g_ascii_strup(text, -1);
	const char *name = g_str_has_prefix(upper, "SIG") ? upper + 3 : upper;
	if (g_strv_contains(names, name))
		return true;
	bool from_min = g_str_has_prefix(name, "RTMIN+");
	if (!from_min && !g_str_has_prefix(name, "RTMAX-"))
		return false;
	return name[6] != '0' && int_parse(name + 6, 10, &n, NULL) && n >= 1 && n <= (from_min ? 15 : 14);
}

bool convert_stopsignal(convert *c, struct stage *s, const struct command *cmd, GError **error)
{
	const char *text = convert_expand(c, s, cmd, cmd->instruction->text, error);
	if (!text)
		return false;
	if (!is_signal(text))
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid signal: %s", text);
	s->image->stop_signal = text;
	convert_commit(c, s, arena_printf(c->arena, "STOPSIGNAL %s", text), false);
	return true;
}

bool convert_user(convert *c, struct stage *s, const struct command *cmd, GError **error)
{
	const char *user = convert_expand(c, s, cmd, cmd->instruction->text, error);
	if (!user)
		return false;
	s->state.user = s->image->user = user;
	convert_commit(c, s, arena_printf(c->arena, "USER %s", user), false);
	return true;
}

bool convert_maintainer(convert *c, struct stage *s, const struct command *cmd, GError **error)
{
	s->image->author = cmd->instruction->text;
	convert_commit(c, s, arena_printf(c->arena, "MAINTAINER %s", s->image->author), false);
	return true;
}

bool convert_onbuild(convert *c, struct stage *s, const struct command *cmd, GError **error)
{
	arena_push(c->arena, &s->image->on_build, cmd->instruction->text);
	return true;
}

/* FROM is handled when stages are made; it is never an instruction of a stage. */
bool convert_from(convert *c, struct stage *s, const struct command *cmd, GError **error)
{
	return true;
}

/* --- WORKDIR --- */

static void make_dir(convert *c, struct stage *s, const struct instruction *i)
{
	struct owner owner;
	Pb__FileActionMkDir mkdir = PB__FILE_ACTION_MK_DIR__INIT;
	mkdir.path = text_path_clean(c->arena, s->state.dir);
	mkdir.mode = 0755;
	mkdir.makeparents = true;
	mkdir.timestamp = c->epoch ? seconds_to_ns(c->epoch_s, 0) : -1;
	if (*s->image->user)
		mkdir.owner = owner_parse(c->arena, s->image->user, &owner);
	struct llb_file_action action = {
		.type = PB__FILE_ACTION__ACTION_MKDIR, .mkdir = &mkdir, .owner_from_base = true};
	const char *text = name_text(c, i->code, &s->state.env->words, false);
	struct llb_meta meta = convert_meta(c, name_prefix(c, s, text, s->platform, true), i->span);
	s->state.out = llb_file(c->graph, s->state.out, &action, 1, &meta);
}

bool convert_workdir(convert *c, struct stage *s, const struct command *cmd, GError **error)
{
	const char *path = convert_expand(c, s, cmd, cmd->instruction->text, error);
	if (!path)
		return false;
	if (!s->workdir_set && !system_path_is_absolute(c->arena, s->platform->os, path))
		lint_report(&c->lint, &cmd->instruction->comments, LINT_WORKDIR_RELATIVE_PATH, cmd->instruction->span,
			    "Relative workdir %s can have unexpected results if the base image changes",
			    text_quote(c->arena, path));
	s->workdir_set = true;
	if (!stage_set_dir(c, s, path, error))
		return false;
	bool layer = strcmp(s->state.dir, "/") != 0;
	if (layer)
		make_dir(c, s, cmd->instruction);
	convert_commit(c, s, arena_printf(c->arena, "WORKDIR %s", s->state.dir), layer);
	return true;
}
