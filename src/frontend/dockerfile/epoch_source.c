/* SPDX-License-Identifier: Apache-2.0 */
/* SOURCE_DATE_EPOCH with the name of a source: the main context, a named context, or a stage that only downloads. */
#include "api/guard.h"
#include "api/message_copy.h"
#include "base/text.h"
#include "frontend/dockerfile/archive_time.h"
#include "frontend/dockerfile/convert_shared.h"
#include "frontend/dockerfile/git_url.h"
#include "frontend/dockerfile/text.h"
#include "format/gotype.h"
#include <string.h>

/* A source op whose time is requested. */
struct origin {
	const char *identifier;   /* NULL: none */
	const char *const *attrs; /* key, value, ..., NULL */
	const char *log_name;
	bool archive_only; /* the main context: read its contents only if it is known to be an archive */
};

static bool refuse(GError **error, const char *text)
{
	return error_set(error, ERROR_INVALID_ARGUMENT, "SOURCE_DATE_EPOCH stage %s", text);
}

/* --- a stage that is FROM scratch with ARGs and one remote ADD --- */

static bool stage_source(convert *c, const struct instruction_copy *add, const struct env *env, struct origin *ret,
			 GError **error)
{
	struct words_result source, checksum;
	struct git_url u;
	bool is_git;
	if (add->heredocs.n || add->sources.n != 1)
		return refuse(error, "must contain exactly one remote ADD source");
	if (!words_expand(&c->words, c->arena, add->sources.items[0], &env->words, &source, error) ||
	    !words_expand(&c->words, c->arena, add->checksum ? add->checksum : "", &env->words, &checksum, error) ||
	    !git_url_parse(c->arena, source.text, &u, &is_git, error))
		return false;
	if (is_git && !u.local_looking) {
		const char *sum = *checksum.text ? checksum.text : u.checksum;
		u.mtime = "";
		u.fetch_by_commit = false;
		ret->identifier = git_url_source(c->arena, &u, add->keep_git_dir == 1 || u.keep_git_dir == 1, sum, "",
						 &ret->attrs);
		return true;
	}
	if (!g_str_has_prefix(source.text, "http://") && !g_str_has_prefix(source.text, "https://"))
		return refuse(error, "source must be a single HTTP(S) or Git ADD");
	struct digest digest;
	if (*checksum.text && !digest_parse(checksum.text, &digest, error))
		return false;
	struct vec attrs = {0};
	arena_push(c->arena, &attrs, "http.filename");
	arena_push(c->arena, &attrs, url_file(c->arena, source.text));
	if (*checksum.text) {
		arena_push(c->arena, &attrs, "http.checksum");
		arena_push(c->arena, &attrs, checksum.text);
	}
	ret->identifier = source.text;
	ret->attrs = arena_strv(c->arena, &attrs);
	return true;
}

static bool stage_args(convert *c, const struct instruction *i, struct env *env, GError **error)
{
	for (size_t n = 0; n < i->pairs.n; n++) {
		const struct pair *pair = i->pairs.items[n];
		const char *value = g_hash_table_lookup(c->build_args, pair->key);
		struct words_result r = {0};
		if (!value && !pair->value)
			continue;
		if (!value && !words_expand(&c->words, c->arena, pair->value, &env->words, &r, error))
			return false;
		if (!env_set(env, pair->key, value ? value : r.text, error))
			return false;
	}
	return true;
}

static bool stage_origin(convert *c, const struct stage *s, struct origin *ret, GError **error)
{
	struct env *env = env_copy(c->globals);
	struct words_result base;
	env_unset(env, "SOURCE_DATE_EPOCH");
	if (!words_expand(&c->words, c->arena, s->base_name, &env->words, &base, error))
		return false;
	if (strcmp(base.text, "scratch") != 0)
		return refuse(error, "must use FROM scratch");
	for (size_t n = 0; n < s->instructions.n; n++) {
		const struct instruction *i = s->instructions.items[n];
		if (i->kind == INSTRUCTION_ARG) {
			if (!stage_args(c, i, env, error))
				return false;
		} else if (i->kind != INSTRUCTION_ADD) {
			return refuse(error,
				      arena_printf(c->arena,
						   "does not meet source-only requirements: unsupported %s instruction",
						   i->name));
		} else if (ret->identifier) {
			return refuse(error, "must contain exactly one remote ADD");
		} else if (!stage_source(c, &i->copy, env, ret, error)) {
			return false;
		}
	}
	if (!ret->identifier)
		return refuse(error, "must contain exactly one remote ADD");
	ret->log_name = arena_printf(c->arena, "[internal] resolve SOURCE_DATE_EPOCH source stage %s", s->name);
	return true;
}

/* --- source metadata --- */

static void add_attrs(convert *c, Pb__SourceOp *op, const char *const *attrs)
{
	struct vec list = {0};
	for (size_t i = 0; attrs && attrs[i]; i += 2) {
		Pb__SourceOp__AttrsEntry *entry =
			message_new_in(c->arena, Pb__SourceOp__AttrsEntry, pb__source_op__attrs_entry);
		entry->key = (char *)attrs[i];
		entry->value = (char *)attrs[i + 1];
		arena_push(c->arena, &list, entry);
	}
	op->n_attrs = list.n;
	op->attrs = (Pb__SourceOp__AttrsEntry **)list.items;
}

/* Parses "committer NAME <MAIL> SECONDS ZONE" of a commit object. */
static bool commit_time(GBytes *object, int64_t *ret)
{
	g_autofree char *text = text_from_bytes(object);
	char *end = strstr(text, "\n\n"), *line;
	if (end)
		*end = 0;
	line = strstr(text, "\ncommitter ");
	char *mail = line ? strstr(line, "> ") : NULL;
	if (!mail)
		return false;
	mail += 2;
	mail[strcspn(mail, " \n")] = 0;
	return int_parse(mail, 10, ret, NULL);
}

/* For an http file without a date: the newest file in it, if it is an archive. */
static bool archive_time(convert *c, const struct origin *o, const char *filename, bool *ret_known, GError **error)
{
	if (o->archive_only && !context_main_is_archive(c->context))
		return true;
	g_autoptr(llb_graph) g = llb_graph_new();
	g_autoptr(build_result) r = NULL;
	struct llb_meta meta = LLB_META_INIT;
	meta.custom_name = o->log_name;
	if (!context_solve(c->context, g, llb_source(g, o->identifier, o->attrs, &meta), false, &r, error))
		return false;
	g_autoptr(GBytes) bytes = context_read_file(c->context, r, filename, 0, error);
	if (!bytes)
		return false;
	size_t n;
	const void *p = g_bytes_get_data(bytes, &n);
	return archive_newest(p, n, ret_known, &c->epoch_s, o->archive_only ? error : NULL) || !o->archive_only;
}

static bool ask(convert *c, const struct origin *o, bool *ret_known, GError **error)
{
	bridge *b = context_bridge(c->context);
	Pb__SourceOp op = PB__SOURCE_OP__INIT;
	struct bridge_source_request request = {
		.source = &op,
		.resolve_mode = "",
		.log_name = o->log_name,
		.objects = g_str_has_prefix(o->identifier, "git://"),
	};
	struct bridge_source found;
	bool ok = true;
	op.identifier = (char *)o->identifier;
	add_attrs(c, &op, o->attrs);
	if (!b->class->resolve_source)
		return error_set(error, ERROR_UNIMPLEMENTED, "resolving the time of a source is not supported");
	if (!b->class->resolve_source(b, &request, context_work(c->context), &found, error))
		return false;
	if (found.kind == BRIDGE_SOURCE_GIT && found.git.commit_object &&
	    g_bytes_get_size(found.git.commit_object) > 0) {
		*ret_known = commit_time(found.git.commit_object, &c->epoch_s);
	} else if (found.kind == BRIDGE_SOURCE_HTTP && found.http.has_modified) {
		c->epoch_s = found.http.modified_s;
		*ret_known = true;
	} else if (found.kind == BRIDGE_SOURCE_HTTP) {
		ok = archive_time(c, o, found.http.filename, ret_known, error);
	}
	bridge_source_clear(&found);
	return ok;
}

static bool named_origin(convert *c, const char *value, const char *name, struct origin *ret, GError **error)
{
	static const char *const attrs[] = {"http.filename", "context", NULL};
	struct git_url u;
	bool is_git;
	if (!git_url_parse(c->arena, value, &u, &is_git, error))
		return false;
	ret->log_name = arena_printf(c->arena, "[internal] resolve SOURCE_DATE_EPOCH named context %s", name);
	if (is_git) {
		ret->identifier = git_url_source(c->arena, &u, u.keep_git_dir == 1, u.checksum, u.mtime, &ret->attrs);
	} else if (g_str_has_prefix(value, "http://") || g_str_has_prefix(value, "https://")) {
		ret->identifier = value;
		ret->attrs = attrs;
	}
	return true;
}

static bool find_origin(convert *c, const char *name, struct origin *ret, GError **error)
{
	const char *value, *label;
	if (strcmp(name, "context") == 0) {
		ret->identifier = context_main_source(c->context, &ret->attrs);
		ret->log_name = "[internal] resolve main build context metadata";
		ret->archive_only = true;
		return true;
	}
	if (!named_context_find(c, name, NULL, &value, &label, error))
		return false;
	if (value)
		return named_origin(c, value, name, ret, error);
	for (size_t i = 0; i < c->parsed.n; i++) {
		const struct stage *s = c->parsed.items[i];
		if (text_equal_fold(s->name, name))
			return stage_origin(c, s, ret, error) || convert_fail_at(c, s->span);
	}
	return error_set(error, ERROR_INVALID_ARGUMENT, "invalid SOURCE_DATE_EPOCH: %s", name);
}

bool epoch_from_source(convert *c, const char *name, bool *ret_known, GError **error)
{
	struct origin o = {0};
	*ret_known = false;
	return find_origin(c, name, &o, error) && (!o.identifier || ask(c, &o, ret_known, error));
}
