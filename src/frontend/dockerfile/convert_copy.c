/* SPDX-License-Identifier: Apache-2.0 */
/* COPY and ADD: each source is a copy action; all actions of an instruction are one step. */
#include "frontend/dockerfile/convert_shared.h"
#include "api/message_copy.h"
#include "base/ident.h"
#include "frontend/dockerfile/git_url.h"
#include "frontend/dockerfile/owner.h"
#include "frontend/dockerfile/system_path.h"
#include "frontend/dockerfile/text.h"
#include "format/gotype.h"
#include <string.h>

/* State of the conversion of one instruction. */
struct transfer {
	convert *c;
	struct stage *s;
	const struct command *cmd;
	const struct instruction_copy *copy;
	bool add;
	struct vec sources; /* expanded */
	const char *dest;   /* expanded, then made absolute in `target` */
	const char *target;
	const char *chown, *chmod, *checksum;
	int keep_git_dir;
	int32_t mode;
	const char *symbolic;
	struct owner owner;
	struct llb_out from;
	const char *name;
	struct vec actions; /* element type: struct llb_file_action * */
};

static bool expand_all(struct transfer *t, GError **error)
{
	const struct instruction_copy *copy = t->copy;
	const struct {
		const char *word, **ret;
	} rows[] = {{copy->chown, &t->chown},
		    {copy->chmod, &t->chmod},
		    {copy->checksum, &t->checksum},
		    {copy->dest, &t->dest}};
	for (size_t n = 0; n < G_N_ELEMENTS(rows); n++)
		if (!(*rows[n].ret = convert_expand(t->c, t->s, t->cmd, rows[n].word ? rows[n].word : "", error)))
			return false;
	for (size_t n = 0; n < copy->sources.n; n++) {
		const char *source = convert_expand(t->c, t->s, t->cmd, copy->sources.items[n], error);
		if (!source)
			return false;
		arena_push(t->c->arena, &t->sources, source);
	}
	return true;
}

static Pb__FileActionCopy *add_copy(struct transfer *t, struct llb_out from, const char *src)
{
	arena *a = t->c->arena;
	Pb__FileActionCopy *copy = message_new_in(a, Pb__FileActionCopy, pb__file_action_copy);
	copy->src = (char *)src;
	copy->dest = (char *)t->target;
	copy->createdestpath = true;
	copy->timestamp = -1;
	copy->mode = t->mode;
	if (t->symbolic)
		copy->modestr = (char *)t->symbolic;
	if (*t->chown)
		copy->owner = &t->owner.chown;
	copy->n_exclude_patterns = t->copy->exclude.n;
	copy->exclude_patterns = (char **)t->copy->exclude.items;
	struct llb_file_action *action = arena_make(a, struct llb_file_action);
	*action = (struct llb_file_action){
		.type = PB__FILE_ACTION__ACTION_COPY, .copy = copy, .from = from, .owner_from_base = true};
	arena_push(a, &t->actions, action);
	return copy;
}

/* --- git --- */

static bool merge_options(struct transfer *t, const struct git_url *u, GError **error)
{
	if (t->keep_git_dir >= 0 && u->keep_git_dir >= 0 && t->keep_git_dir != u->keep_git_dir)
		return error_set(error, ERROR_INVALID_ARGUMENT, "inconsistent keep-git-dir configuration");
	if (u->keep_git_dir >= 0)
		t->keep_git_dir = u->keep_git_dir;
	if (*t->checksum && *u->checksum && strcmp(t->checksum, u->checksum) != 0) {
		g_autofree char *mine = go_quote(t->checksum), *theirs = go_quote(u->checksum);
		return error_set(error, ERROR_INVALID_ARGUMENT, "checksum mismatch %s != %s", mine, theirs);
	}
	if (*u->checksum)
		t->checksum = u->checksum;
	return true;
}

static bool add_git(struct transfer *t, const struct git_url *u, GError **error)
{
	const char *const *attrs;
	if (!t->add)
		return error_set(error, ERROR_INVALID_ARGUMENT, "source can't be a git ref for COPY");
	if (!merge_options(t, u, error))
		return false;
	const char *id = git_url_source(t->c->arena, u, t->keep_git_dir == 1, t->checksum, "", &attrs);
	struct llb_meta meta = LLB_META_INIT;
	meta.custom_name = t->name;
	add_copy(t, llb_source(t->c->graph, id, attrs, &meta), "/");
	return true;
}

/* --- http --- */

const char *url_file(arena *a, const char *url)
{
	const char *authority = strstr(url, "://") + 3;
	const char *path = authority + strcspn(authority, "/?#");
	g_autofree char *escaped = g_strndup(path, strcspn(path, "?#")), *plain = g_uri_unescape_string(escaped, NULL);
	const char *base = text_path_base(a, plain ? plain : escaped);
	return strcmp(base, ".") == 0 || strcmp(base, "/") == 0 ? "__unnamed__" : base;
}

/* --checksum, with the error texts of go-digest. */
static bool check_digest(const char *text, GError **error)
{
	static const struct {
		const char *algorithm;
		size_t digits;
	} known[] = {{"sha256", 64}, {"sha384", 96}, {"sha512", 128}};
	const char *colon = strchr(text, ':');
	struct digest digest;
	if (!colon || colon == text || !colon[1])
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid checksum digest format");
	for (size_t i = 0; i < G_N_ELEMENTS(known); i++) {
		size_t n = strlen(known[i].algorithm);
		if ((size_t)(colon - text) != n || strncmp(text, known[i].algorithm, n) != 0)
			continue;
		if (strlen(colon + 1) != known[i].digits)
			return error_set(error, ERROR_INVALID_ARGUMENT, "invalid checksum digest length");
		if (strspn(colon + 1, "0123456789abcdef") != known[i].digits)
			return error_set(error, ERROR_INVALID_ARGUMENT, "invalid checksum digest format");
		return digest_parse(text, &digest, error);
	}
	return error_set(error, ERROR_INVALID_ARGUMENT, "unsupported digest algorithm");
}

static bool add_http(struct transfer *t, const char *url, GError **error)
{
	if (!t->add)
		return error_set(error, ERROR_INVALID_ARGUMENT, "source can't be a URL for COPY");
	if (*t->checksum && !check_digest(t->checksum, error))
		return false;
	const char *file = url_file(t->c->arena, url);
	const char *attrs[] = {"http.filename", file, *t->checksum ? "http.checksum" : NULL, t->checksum, NULL};
	const char *description[] = {"com.docker.dockerfile.v1.command", "", NULL};
	struct llb_meta meta = LLB_META_INIT;
	meta.custom_name = t->name;
	meta.description = description;
	Pb__FileActionCopy *copy =
		add_copy(t, llb_source(t->c->graph, url, attrs, &meta), text_path_rooted(t->c->arena, file));
	copy->attemptunpackdockercompatibility = t->copy->unpack == 1;
	return true;
}

/* --- paths --- */

static bool has_wildcard(const char *p)
{
	for (; *p; p++) {
		if (*p == '*' || *p == '?' || *p == '[')
			return true;
		if (*p == '\\' && p[1])
			p++;
	}
	return false;
}

static char **one_string(arena *a, const char *text)
{
	char **list = arena_alloc(a, sizeof *list);
	list[0] = (char *)text;
	return list;
}

static bool add_path(struct transfer *t, const char *source, GError **error)
{
	arena *a = t->c->arena;
	const char *os = t->s->platform->os, *pattern = NULL, *required = NULL;
	if (!t->copy->from || !*t->copy->from)
		validate_copy_source(t->c, t->cmd->instruction, source);
	if (t->copy->parents) {
		const char *pivot = strstr(source, "/./");
		pattern = pivot ? pivot + strlen("/./") : source;
		source = pivot ? arena_strndup(a, source, (size_t)(pivot - source)) : "/";
		pattern = system_path_join(a, os, "/", pattern, error);
		if (!pattern)
			return error_prefix(error, "removing drive letter: ");
		if (!has_wildcard(source) && !has_wildcard(pattern))
			required = text_path_clean(a, arena_printf(a, "%s/%s", source, pattern));
		if (required && !(required = system_path_rooted(a, os, required, error)))
			return error_prefix(error, "removing drive letter: ");
	}
	const char *rooted = system_path_rooted(a, os, source, error);
	if (!rooted)
		return error_prefix(error, "removing drive letter: ");
	Pb__FileActionCopy *copy = add_copy(t, t->from, rooted);
	copy->followsymlink = copy->dircopycontents = copy->allowwildcard = copy->allowemptywildcard = true;
	copy->attemptunpackdockercompatibility = t->copy->unpack >= 0 ? t->copy->unpack == 1 : t->add;
	if (pattern) {
		copy->n_include_patterns = 1;
		copy->include_patterns = one_string(a, pattern + (*pattern == '/'));
	}
	if (required) {
		copy->n_required_paths = 1;
		copy->required_paths = one_string(a, required);
	}
	return true;
}

static bool is_http(const char *source)
{
	return g_str_has_prefix(source, "http://") || g_str_has_prefix(source, "https://");
}

static bool add_source(struct transfer *t, const char *source, GError **error)
{
	struct git_url u;
	bool is_git;
	if (!git_url_parse(t->c->arena, source, &u, &is_git, error))
		return false;
	if (is_git && !u.local_looking)
		return add_git(t, &u, error);
	if (is_http(source))
		return add_http(t, source, error);
	return add_path(t, source, error);
}

/* --- here-documents --- */

struct llb_out inline_file(convert *c, const struct stage *s, const char *name, const char *content, int mode)
{
	Pb__FileActionMkFile mkfile = PB__FILE_ACTION_MK_FILE__INIT;
	mkfile.path = text_path_rooted(c->arena, name);
	mkfile.mode = mode;
	mkfile.data.data = (uint8_t *)content;
	mkfile.data.len = strlen(content);
	mkfile.timestamp = -1;
	struct llb_file_action action = {.type = PB__FILE_ACTION__ACTION_MKFILE, .mkfile = &mkfile};
	struct llb_meta meta = LLB_META_INIT;
	meta.custom_name = "[internal] preparing inline document";
	return llb_file(c->graph, (struct llb_out){0}, &action, 1, &meta);
}

static bool add_heredoc(struct transfer *t, const struct heredoc *doc, GError **error)
{
	const char *content = doc->content;
	if (doc->expand) {
		struct words w = {.escape = '\\', .plain_quotes = true, .work = &t->c->work_left};
		struct words_result r;
		bool ok = words_expand(&w, t->c->arena, content, &t->s->state.env->words, &r, error);
		convert_report_undefined(t->c, t->s, t->cmd->instruction, &r.unmatched);
		if (!ok)
			return false;
		content = r.text;
	}
	const char *name = system_path_plain(t->c->arena, t->s->platform->os, doc->name, error);
	if (!name)
		return false;
	add_copy(t, inline_file(t->c, t->s, name, content, 0644), text_path_rooted(t->c->arena, name));
	return true;
}

/* --- the step --- */

static bool check_checksum(const struct transfer *t, GError **error)
{
	struct git_url u;
	bool is_git = false;
	if (!*t->checksum)
		return true;
	if (t->sources.n != 1)
		return error_set(error, ERROR_INVALID_ARGUMENT, "checksum can't be specified for multiple sources");
	git_url_parse(t->c->arena, t->sources.items[0], &u, &is_git, NULL);
	if (!is_git && !is_http(t->sources.items[0]))
		return error_set(error, ERROR_INVALID_ARGUMENT, "checksum requires HTTP(S) or Git sources");
	return true;
}

static const char *history_text(const struct transfer *t)
{
	const struct vec *heredocs = &t->copy->heredocs;
	g_autoptr(GString) s = g_string_new(t->add ? "ADD" : "COPY");
	if (t->copy->parents)
		g_string_append(s, " --parents");
	if (*t->chown)
		g_string_append_printf(s, " --chown=%s", t->chown);
	if (*t->chmod)
		g_string_append_printf(s, " --chmod=%s", t->chmod);
	for (size_t n = 0; n < t->sources.n; n++)
		g_string_append_printf(s, " %s", vec_at(&t->sources, char *, n));
	for (size_t n = 0; n < heredocs->n; n++)
		g_string_append_printf(s, " <<%s", vec_at(heredocs, struct heredoc *, n)->name);
	g_string_append_printf(s, " %s # buildkit", t->dest);
	return arena_strndup(t->c->arena, s->str, s->len);
}

static struct llb_out file_step(struct transfer *t, struct llb_out on, const struct llb_meta *meta)
{
	g_autofree struct llb_file_action *actions = g_new(struct llb_file_action, t->actions.n);
	for (size_t i = 0; i < t->actions.n; i++)
		actions[i] = *vec_at(&t->actions, struct llb_file_action *, i);
	return llb_file(t->c->graph, on, actions, t->actions.n, meta);
}

/* --link: the copy starts from scratch and is merged on top; the three vertices count as one step. */
static struct llb_out link_step(struct transfer *t, const char *text, struct llb_meta meta)
{
	char id[IDENT_SIZE];
	ident_new(id);
	t->s->index--;
	const char *group = name_prefix(t->c, t->s, text, t->s->platform, true);
	struct llb_meta copy = meta;
	copy.platform = t->s->platform;
	copy.group_id = meta.group_id = id;
	copy.group_name = meta.group_name = group;
	copy.group_weak = true;
	struct llb_out inputs[] = {t->s->state.out, file_step(t, (struct llb_out){0}, &copy)};
	t->s->index--;
	meta.custom_name = name_prefix(t->c, t->s, arena_printf(t->c->arena, "LINK %s", text), t->s->platform, true);
	return llb_merge(t->c->graph, inputs, G_N_ELEMENTS(inputs), &meta);
}

static bool transfer_run(struct transfer *t, GError **error)
{
	convert *c = t->c;
	struct stage *s = t->s;
	const struct instruction *i = t->cmd->instruction;
	t->keep_git_dir = t->copy->keep_git_dir;
	t->target = system_path_target(c->arena, s->platform->os, s->state.dir, t->dest, error);
	if (!t->target)
		return false;
	t->mode = -1;
	if (*t->chown)
		owner_parse(c->arena, t->chown, &t->owner);
	if (*t->chmod && !mode_parse(c->arena, t->chmod, &t->mode, &t->symbolic, error))
		return false;
	if (!check_checksum(t, error))
		return false;
	const char *text = name_text(c, i->code, &s->state.env->words, false);
	t->name = name_prefix(c, s, text, s->platform, true);
	for (size_t n = 0; n < t->sources.n; n++)
		if (!add_source(t, t->sources.items[n], error))
			return false;
	for (size_t n = 0; n < t->copy->heredocs.n; n++)
		if (!add_heredoc(t, t->copy->heredocs.items[n], error))
			return false;
	struct llb_meta meta = convert_meta(c, t->name, i->span);
	meta.ignore_cache = s->no_cache;
	/* Layers of Windows images have another form than the one that --link would merge. */
	bool windows = strcmp(s->platform->os, "windows") == 0;
	if (t->copy->link && !*t->chmod && !windows && convert_has_cap("mergeop"))
		s->state.out = link_step(t, text, meta);
	else
		s->state.out = file_step(t, s->state.out, &meta);
	convert_commit(c, s, history_text(t), true);
	return true;
}

/* The name in the build context; upstream omits the rules of Windows here, and then misses the file. */
static const char *used_path(const struct transfer *t, const char *source)
{
	const char *path = system_path_rooted(t->c->arena, t->s->platform->os, source, NULL);
	return path ? path : text_path_rooted(t->c->arena, source);
}

static bool transfer_convert(convert *c, struct stage *s, const struct command *cmd, bool add, GError **error)
{
	struct transfer t = {.c = c,
			     .s = s,
			     .cmd = cmd,
			     .copy = &cmd->instruction->copy,
			     .add = add,
			     .from = c->context_placeholder};
	struct stage *source = cmd->sources.n ? cmd->sources.items[0] : NULL;
	if (!expand_all(&t, error))
		return false;
	if (source && !source->dispatched)
		return error_set(error, ERROR_INVALID_ARGUMENT,
				 "cannot copy from stage \"%s\", it needs to be defined before current stage \"%s\"",
				 t.copy->from, s->display);
	if (source)
		t.from = source->state.out;
	if (!transfer_run(&t, error))
		return false;
	for (size_t n = 0; n < t.sources.n; n++)
		if (!add || !is_http(t.sources.items[n]))
			g_hash_table_add(source ? source->paths : c->context_paths,
					 (gpointer)used_path(&t, t.sources.items[n]));
	return true;
}

bool convert_add(convert *c, struct stage *s, const struct command *cmd, GError **error)
{
	return transfer_convert(c, s, cmd, true, error);
}

bool convert_copy(convert *c, struct stage *s, const struct command *cmd, GError **error)
{
	return transfer_convert(c, s, cmd, false, error);
}
