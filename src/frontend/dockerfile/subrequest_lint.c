/* SPDX-License-Identifier: Apache-2.0 */
/* "frontend.lint": lists the findings of the build checks, also in unneeded stages. */
#include "frontend/dockerfile/subrequest_internal.h"
#include <string.h>

struct collector {
	arena *a;
	struct vec findings; /* element type: struct lint_finding * */
};

static void collect(void *user, const struct lint_finding *f)
{
	struct collector *l = user;
	struct lint_finding *copy = arena_make(l->a, struct lint_finding);
	*copy = *f;
	copy->message = arena_strdup(l->a, f->message);
	arena_push(l->a, &l->findings, copy);
}

/* lines: of the element type struct span *. */
static void write_location(json_writer *w, const struct vec *lines)
{
	json_object_member_begin(w, "location");
	if (lines->n) {
		json_array_member_begin(w, "ranges");
		for (size_t i = 0; i < lines->n; i++)
			source_error_write_lines(w, *vec_at(lines, struct span *, i));
		json_array_end(w);
	}
	json_object_end(w);
}

static void line_spans(arena *a, struct span span, struct vec *ret)
{
	for (int line = span.first; line > 0 && line <= span.last; line++) {
		struct span *one = arena_make(a, struct span);
		*one = (struct span){line, line};
		arena_push(a, ret, one);
	}
}

static void write_warning(json_writer *w, arena *a, const struct lint_finding *f)
{
	g_autofree char *url = lint_rule_url(f->rule);
	struct vec lines = {0};
	line_spans(a, f->span, &lines);
	json_object_begin(w);
	json_put_string_member(w, "ruleName", lint_rule_name(f->rule));
	json_put_string_member(w, "description", lint_rule_description(f->rule));
	json_put_string_member_nonempty(w, "url", url);
	json_put_string_member_nonempty(w, "detail", f->message);
	write_location(w, &lines);
	json_object_end(w);
}

static int by_span(const void *a, const void *b)
{
	return (*(struct span *const *)a)->first - (*(struct span *const *)b)->first;
}

static void write_build_error(json_writer *w, arena *a, const struct vec *where, const char *message)
{
	struct vec lines = {0};
	for (size_t i = 0; i < where->n; i++)
		line_spans(a, *vec_at(where, struct span *, i), &lines);
	if (lines.n)
		qsort(lines.items, lines.n, sizeof *lines.items, by_span);
	json_object_member_begin(w, "buildError");
	json_put_string_member(w, "message", message);
	write_location(w, &lines);
	json_object_end(w);
}

static char *lint_json(struct collector *l, const convert *c, const struct source_file *file, const GError *failure)
{
	g_autoptr(json_writer) w = json_writer_new(2);
	json_object_begin(w);
	json_key(w, "warnings");
	if (l->findings.n)
		json_array_begin(w);
	else
		json_put_null(w);
	for (size_t i = 0; i < l->findings.n; i++)
		write_warning(w, l->a, l->findings.items[i]);
	if (l->findings.n)
		json_array_end(w);
	json_array_member_begin(w, "sources");
	source_error_write_file(w, file);
	json_array_end(w);
	if (failure)
		write_build_error(w, l->a, &c->where, failure->message);
	json_object_end(w);
	return json_writer_take(&w, NULL);
}

/* --- as text --- */

/* Stable sort by line: findings of the same line keep their order. */
static void sort_findings(struct vec *v)
{
	for (size_t i = 1; i < v->n; i++) {
		struct lint_finding *f = v->items[i];
		size_t k = i;
		for (; k > 0 && vec_at(v, struct lint_finding *, k - 1)->span.first > f->span.first; k--)
			v->items[k] = v->items[k - 1];
		v->items[k] = f;
	}
}

/* Prints the lines around the finding, as clients print them below an error. */
static void print_lines(GString *out, const struct source_file *file, struct span span)
{
	g_autofree char *copy = g_strndup(file->shown, file->n_shown);
	g_auto(GStrv) lines = g_strsplit(copy, "\n", -1);
	int n = (int)g_strv_length(lines), first = span.first, last = span.last;
	if (first < 1 || first > n)
		return;
	last = MIN(last, n);
	for (int p = 0, pad = first == last ? 4 : 2; p < pad; p++) {
		if (first > 1) {
			first--;
			p++;
		}
		if (last < n) {
			last++;
			p++;
		}
	}
	g_string_append_printf(out, "%s:%d\n--------------------\n", file->name, span.first);
	for (int i = first; i <= last; i++)
		g_string_append_printf(out, " %3d | %s %s\n", i, i >= span.first && i <= span.last ? ">>>" : "   ",
				       lines[i - 1]);
	g_string_append(out, "--------------------\n");
}

static char *lint_text(struct collector *l, const struct source_file *file)
{
	GString *out = g_string_new(NULL);
	sort_findings(&l->findings);
	for (size_t i = 0; i < l->findings.n; i++) {
		const struct lint_finding *f = l->findings.items[i];
		g_autofree char *url = lint_rule_url(f->rule);
		g_string_append_printf(out, "\nWARNING: %s%s%s\n%s\n", lint_rule_name(f->rule), *url ? " - " : "", url,
				       f->message);
		print_lines(out, file, f->span);
	}
	return g_string_free(out, FALSE);
}

bool subrequest_lint(struct question *q, GError **error)
{
	g_autoptr(convert) c = convert_new(q->x, q->file, NULL);
	g_autoptr(arena) a = arena_new();
	g_autoptr(GError) failure = NULL;
	struct collector l = {.a = a};
	c->lint.sink = collect;
	c->lint.user = &l;
	c->all_stages = !*c->target_name;
	convert_all(c, &failure);
	if (failure && error_is(failure, ERROR_CANCELED))
		return error_propagate(error, g_steal_pointer(&failure));
	g_autofree char *json = lint_json(&l, c, q->file, failure);
	g_autofree char *text = lint_text(&l, q->file);
	question_set(q, "result.json", json);
	question_set(q, "result.txt", text);
	question_set(q, "result.statuscode", l.findings.n || failure ? "1" : "0");
	return true;
}
