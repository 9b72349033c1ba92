/* SPDX-License-Identifier: Apache-2.0 */
/* "frontend.outline": lists the arguments, secrets and ssh keys that a target and its dependencies can use. */
#include "frontend/dockerfile/convert_shared.h"
#include "base/hash_walk.h"
#include "frontend/dockerfile/subrequest_internal.h"
#include "frontend/dockerfile/text_table.h"
#include <string.h>

struct outline {
	convert *c;
	struct vec args;         /* element type: struct arg_info * */
	struct vec secrets, ssh; /* element type: struct secret_info * */
};

static const struct arg_info *find_arg(const convert *c, const struct stage *s, const char *name)
{
	const struct arg_info *info = g_hash_table_lookup(s->arg_infos, name);
	return info ? info : g_hash_table_lookup(c->arg_infos, name);
}

static void add_arg(struct outline *o, const struct arg_info *info)
{
	for (size_t i = 0; i < o->args.n; i++)
		if (strcmp(vec_at(&o->args, struct arg_info *, i)->definition->key, info->definition->key) == 0)
			return;
	arena_push(o->c->arena, &o->args, info);
}

/* Adds the names that a stage uses, and those that their defaults use. */
static void add_args(struct outline *o, const struct stage *s)
{
	struct vec todo = {0};
	g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
	for (struct hash_walk it = hash_walk(s->used_args); hash_walk_next(&it);)
		arena_push(o->c->arena, &todo, it.key);
	while (todo.n) {
		const char *key = todo.items[--todo.n];
		const struct arg_info *info = g_hash_table_add(seen, (char *)key) ? find_arg(o->c, s, key) : NULL;
		if (!info)
			continue;
		add_arg(o, info);
		for (size_t i = 0; i < info->deps.n; i++)
			arena_push(o->c->arena, &todo, info->deps.items[i]);
	}
}

static void add_secrets(struct outline *o, struct vec *to, const struct vec *from)
{
	for (size_t i = 0; i < from->n; i++) {
		const struct secret_info *info = from->items[i];
		bool known = false;
		for (size_t k = 0; k < to->n && !known; k++)
			known = strcmp(vec_at(to, struct secret_info *, k)->id, info->id) == 0;
		if (!known)
			arena_push(o->c->arena, to, info);
	}
}

static int by_arg_line(const void *a, const void *b)
{
	const struct arg_info *x = *(struct arg_info *const *)a, *y = *(struct arg_info *const *)b;
	int lines = x->span.first - y->span.first;
	return lines ? lines : strcmp(x->definition->key, y->definition->key);
}

static int by_secret_line(const void *a, const void *b)
{
	const struct secret_info *x = *(struct secret_info *const *)a, *y = *(struct secret_info *const *)b;
	int lines = x->span.first - y->span.first;
	return lines ? lines : strcmp(x->id, y->id);
}

static void sort(struct vec *v, int (*compare)(const void *, const void *))
{
	if (v->n)
		qsort(v->items, v->n, sizeof *v->items, compare);
}

static void collect(struct outline *o)
{
	GHashTable *needed = stages_needed(o->c, o->c->target_stage);
	/* The target comes first: its definition of a name has precedence. */
	add_args(o, o->c->target_stage);
	for (size_t i = o->c->stages.n; i > 0; i--) {
		struct stage *s = o->c->stages.items[i - 1];
		if (!g_hash_table_contains(needed, s))
			continue;
		add_args(o, s);
		add_secrets(o, &o->secrets, &s->secrets);
		add_secrets(o, &o->ssh, &s->ssh);
	}
	sort(&o->args, by_arg_line);
	sort(&o->secrets, by_secret_line);
	sort(&o->ssh, by_secret_line);
}

static void write_args(json_writer *w, const struct vec *args)
{
	if (!args->n)
		return;
	json_array_member_begin(w, "args");
	for (size_t i = 0; i < args->n; i++) {
		const struct arg_info *info = args->items[i];
		json_object_begin(w);
		json_put_string_member(w, "name", info->definition->key);
		json_put_string_member_nonempty(w, "description", info->definition->doc);
		json_put_string_member_nonempty(w, "value", info->value);
		question_write_location(w, info->span);
		json_object_end(w);
	}
	json_array_end(w);
}

static void write_secrets(json_writer *w, const char *key, const struct vec *list)
{
	if (!list->n)
		return;
	json_array_member_begin(w, key);
	for (size_t i = 0; i < list->n; i++) {
		const struct secret_info *info = list->items[i];
		json_object_begin(w);
		json_put_string_member(w, "name", info->id);
		json_put_bool_member_true(w, "required", info->required);
		question_write_location(w, info->span);
		json_object_end(w);
	}
	json_array_end(w);
}

static char *outline_json(const struct outline *o, const struct source_file *file)
{
	g_autoptr(json_writer) w = json_writer_new(2);
	const struct stage *t = o->c->target_stage;
	json_object_begin(w);
	json_put_string_member_nonempty(w, "name", t->name);
	json_put_string_member_nonempty(w, "description", t->from->from.doc);
	write_args(w, &o->args);
	write_secrets(w, "secrets", &o->secrets);
	write_secrets(w, "ssh", &o->ssh);
	json_array_member_begin(w, "sources");
	json_put_base64(w, file->shown, file->n_shown);
	json_array_end(w);
	json_object_end(w);
	return json_writer_take(&w, NULL);
}

static void head_text(const struct outline *o, GString *out)
{
	const struct stage *t = o->c->target_stage;
	const char *cells[] = {"TARGET:", *t->name ? t->name : "(default)", "DESCRIPTION:", t->from->from.doc};
	if (!*t->name && !*t->from->from.doc)
		return;
	text_table_append(out, cells, *t->from->from.doc ? 2 : 1, 2, 1);
	g_string_append_c(out, '\n');
}

static void args_text(const struct outline *o, GString *out)
{
	arena *a = o->c->arena;
	struct vec cells = {0};
	if (!o->args.n)
		return;
	arena_push(a, &cells, "BUILD ARG");
	arena_push(a, &cells, "VALUE");
	arena_push(a, &cells, "DESCRIPTION");
	for (size_t i = 0; i < o->args.n; i++) {
		const struct arg_info *info = o->args.items[i];
		arena_push(a, &cells, info->definition->key);
		arena_push(a, &cells, info->value);
		arena_push(a, &cells, info->definition->doc);
	}
	text_table_append(out, (const char *const *)cells.items, cells.n / 3, 3, 3);
	g_string_append_c(out, '\n');
}

static void secrets_text(const struct outline *o, const char *head, const struct vec *list, GString *out)
{
	struct vec cells = {0};
	if (!list->n)
		return;
	arena_push(o->c->arena, &cells, head);
	arena_push(o->c->arena, &cells, "REQUIRED");
	for (size_t i = 0; i < list->n; i++) {
		const struct secret_info *info = list->items[i];
		arena_push(o->c->arena, &cells, info->id);
		arena_push(o->c->arena, &cells, info->required ? "true" : "");
	}
	text_table_append(out, (const char *const *)cells.items, cells.n / 2, 2, 3);
	g_string_append_c(out, '\n');
}

bool subrequest_outline(struct question *q, GError **error)
{
	g_autoptr(convert) c = convert_new(q->x, q->file, NULL);
	c->lint.sink = q->warn;
	c->lint.user = q->warn_user;
	if (!convert_all(c, error))
		return false;
	struct outline o = {.c = c};
	collect(&o);
	g_autofree char *json = outline_json(&o, q->file);
	g_autoptr(GString) text = g_string_new(NULL);
	head_text(&o, text);
	args_text(&o, text);
	secrets_text(&o, "SECRET", &o.secrets, text);
	secrets_text(&o, "SSH", &o.ssh, text);
	question_set(q, "result.json", json);
	question_set(q, "result.txt", text->str);
	return true;
}
