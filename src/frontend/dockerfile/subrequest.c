/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/dockerfile/subrequest.h"
#include "frontend/dockerfile/subrequest_internal.h"
#include "frontend/dockerfile/text_table.h"
#include <string.h>

static bool subrequest_describe(struct question *q, GError **error);
static bool subrequest_targets(struct question *q, GError **error);

/* id, version, description, whether "describe" lists it, its option, function */
#define SUBREQUESTS(X)                                                                                                 \
	X("frontend.outline", "1.0.0", "List all parameters current build target supports", true, subrequest_outline)  \
	X("frontend.targets", "1.0.0", "List all targets current build supports", true, subrequest_targets)            \
	X("frontend.subrequests.describe", "1.0.0", "List available subrequest types", true, subrequest_describe)      \
	X("frontend.lint", "1.0.0", "Lint a Dockerfile", false, subrequest_lint)                                       \
	X("frontend.convertllb", "0.1.0", "Convert Dockerfile to LLB", false, subrequest_convertllb)

static const struct {
	const char *id, *version, *description;
	bool listed;
	bool (*answer)(struct question *q, GError **error);
} rows[] = {
#define SUBREQUEST_ROW(id, version, description, listed, answer) {id, version, description, listed, answer},
	SUBREQUESTS(SUBREQUEST_ROW)
#undef SUBREQUEST_ROW
};

void question_set(struct question *q, const char *key, const char *text)
{
	build_result_set_metadata(q->result, key, text, strlen(text));
}

void question_write_location(json_writer *w, struct span span)
{
	if (span.first < 1 || span.last < span.first)
		return;
	json_object_member_begin(w, "location");
	json_array_member_begin(w, "ranges");
	source_error_write_lines(w, span);
	json_array_end(w);
	json_object_end(w);
}

/* --- describe --- */

static void write_named(json_writer *w, const char *name, const char *description)
{
	json_object_begin(w);
	json_put_string_member(w, "name", name);
	json_put_string_member(w, "description", description);
	json_object_end(w);
}

/* Unset lists are null, empty ones are []. */
static void write_options(json_writer *w, const char *id)
{
	json_key(w, "opts");
	if (strcmp(id, "frontend.subrequests.describe") == 0) {
		json_put_null(w);
		return;
	}
	json_array_begin(w);
	if (strcmp(id, "frontend.outline") == 0)
		write_named(w, "target", "Target build stage");
	json_array_end(w);
}

static void write_row(json_writer *w, size_t i)
{
	json_object_begin(w);
	json_put_string_member(w, "name", rows[i].id);
	json_put_string_member(w, "version", rows[i].version);
	json_put_string_member(w, "type", "rpc");
	json_put_string_member(w, "description", rows[i].description);
	write_options(w, rows[i].id);
	json_key(w, "inputs");
	json_put_null(w);
	json_array_member_begin(w, "metadata");
	write_named(w, "result.json", "");
	write_named(w, "result.txt", "");
	json_array_end(w);
	json_key(w, "refs");
	json_put_null(w);
	json_object_end(w);
}

static bool subrequest_describe(struct question *q, GError **error)
{
	g_autoptr(json_writer) w = json_writer_new(2);
	g_autoptr(GString) text = g_string_new(NULL);
	const char *cells[3 * (G_N_ELEMENTS(rows) + 1)] = {"NAME", "VERSION", "DESCRIPTION"};
	size_t n = 1;
	json_array_begin(w);
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		if (!rows[i].listed)
			continue;
		write_row(w, i);
		cells[3 * n] = rows[i].id + strlen("frontend.");
		cells[3 * n + 1] = rows[i].version;
		cells[3 * n++ + 2] = rows[i].description;
	}
	json_array_end(w);
	text_table_append(text, cells, n, 3, 1);
	g_autofree char *json = json_writer_take(&w, NULL);
	question_set(q, "result.json", json);
	question_set(q, "result.txt", text->str);
	return true;
}

/* --- targets --- */

static void write_target(json_writer *w, const struct stage *s, bool last)
{
	json_object_begin(w);
	json_put_string_member_nonempty(w, "name", s->name);
	json_put_bool_member_true(w, "default", last);
	json_put_string_member_nonempty(w, "description", s->from->from.doc);
	json_put_string_member_nonempty(w, "base", s->base_name);
	json_put_string_member_nonempty(w, "platform", s->from->from.platform ? s->from->from.platform : "");
	question_write_location(w, s->span);
	json_object_end(w);
}

static bool subrequest_targets(struct question *q, GError **error)
{
	g_autoptr(convert) c = convert_new(q->x, q->file, NULL);
	g_autoptr(json_writer) w = json_writer_new(2);
	g_autoptr(GString) text = g_string_new(NULL);
	struct vec cells = {0};
	if (!convert_parse(c, error))
		return false;
	arena_push(c->arena, &cells, "TARGET");
	arena_push(c->arena, &cells, "DESCRIPTION");
	json_object_begin(w);
	json_array_member_begin(w, "targets");
	for (size_t i = 0; i < c->parsed.n; i++) {
		const struct stage *s = c->parsed.items[i];
		bool last = i + 1 == c->parsed.n;
		write_target(w, s, last);
		arena_push(c->arena, &cells,
			   arena_printf(c->arena, "%s%s%s", s->name, last && *s->name ? " " : "",
					last ? "(default)" : ""));
		arena_push(c->arena, &cells, s->from->from.doc);
	}
	json_array_end(w);
	json_array_member_begin(w, "sources");
	json_put_base64(w, q->file->shown, q->file->n_shown);
	json_array_end(w);
	json_object_end(w);
	text_table_append(text, (const char *const *)cells.items, cells.n / 2, 2, 1);
	g_autofree char *json = json_writer_take(&w, NULL);
	question_set(q, "result.json", json);
	question_set(q, "result.txt", text->str);
	return true;
}

static bool unsupported(const char *id, GError **error)
{
	error_set(error, ERROR_UNKNOWN, "unsupported request %s", id);
	if (error && *error) {
		g_autoptr(json_writer) w = json_writer_new(0);
		json_object_begin(w);
		json_put_string_member(w, "name", id);
		json_object_end(w);
		g_autofree char *json = json_writer_take(&w, NULL);
		error_add_detail(*error, "errdefs.Subrequest", json);
	}
	return false;
}

bool subrequest_answer(const char *id, context *x, const struct source_file *file, lint_sink warn, void *warn_user,
		       build_result **ret, GError **error)
{
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		if (strcmp(rows[i].id, id) != 0)
			continue;
		g_autoptr(build_result) result = build_result_new();
		struct question q = {x, file, result, warn, warn_user};
		if (!rows[i].answer(&q, error))
			return false;
		question_set(&q, "version", rows[i].version);
		*ret = g_steal_pointer(&result);
		return true;
	}
	return unsupported(id, error);
}
