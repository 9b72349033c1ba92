/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/dockerfile/source_error.h"
#include "api/message_copy.h"
#include "llb/op_json.h"

void source_error_write_lines(json_writer *w, struct span span)
{
	for (int line = span.first; line > 0 && line <= span.last; line++) {
		json_object_begin(w);
		for (int end = 0; end < 2; end++) {
			json_object_member_begin(w, end ? "end" : "start");
			json_put_int_member_nonzero(w, "line", line);
			json_object_end(w);
		}
		json_object_end(w);
	}
}

void source_error_write_file(json_writer *w, const struct source_file *file)
{
	json_object_begin(w);
	json_put_string_member_nonempty(w, "filename", file->name);
	json_key(w, "data");
	json_put_base64(w, file->shown, file->n_shown);
	if (file->definition) {
		json_key(w, "definition");
		op_json_message(w, &file->definition->base);
	}
	json_put_string_member(w, "language", "Dockerfile");
	json_object_end(w);
}

static char *source_json(const struct source_file *file, struct span span)
{
	g_autoptr(json_writer) w = json_writer_new(0);
	json_object_begin(w);
	json_key(w, "info");
	source_error_write_file(w, file);
	json_array_member_begin(w, "ranges");
	source_error_write_lines(w, span);
	json_array_end(w);
	json_object_end(w);
	return json_writer_take(&w, NULL);
}

void source_error_add(GError **error, const struct source_file *file, const struct vec *where)
{
	if (!error || !*error)
		return;
	error_convert(error);
	for (size_t i = 0; i < where->n; i++) {
		g_autofree char *json = source_json(file, *vec_at(where, struct span *, i));
		error_add_detail(*error, "errdefs.Source", json);
	}
}

const Pb__Range *const *span_ranges(arena *a, struct span span)
{
	struct vec ranges = {0};
	for (int line = span.first; line > 0 && line <= span.last; line++) {
		Pb__Range *r = message_new_in(a, Pb__Range, pb__range);
		Pb__Position *p = message_new_in(a, Pb__Position, pb__position);
		p->line = line;
		r->start = r->end = p;
		arena_push(a, &ranges, r);
	}
	return (const Pb__Range *const *)arena_strv(a, &ranges);
}
