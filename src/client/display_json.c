/* SPDX-License-Identifier: Apache-2.0 */
#include "client/display_mode.h"
#include "api/message.h"
#include "format/gotype.h"
#include "format/json_writer.h"
#include "os/file.h"

struct raw {
	int fd;
};

static void *raw_open(const struct display_output *output)
{
	struct raw *r = g_new0(struct raw, 1);
	r->fd = output->fd;
	return r;
}

static void put_time(json_writer *w, const char *key, const Google__Timestamp *t)
{
	if (!t)
		return;
	g_autofree char *text = time_format_rfc3339(message_time_ns(t));
	json_key(w, key);
	json_put_string(w, text);
}

static void put_group(json_writer *w, const Pb__ProgressGroup *group)
{
	if (!group)
		return;
	json_object_member_begin(w, "progressGroup");
	json_put_string_member_nonempty(w, "id", group->id);
	json_put_string_member_nonempty(w, "name", group->name);
	json_put_bool_member_true(w, "weak", group->weak);
	json_object_end(w);
}

static void put_vertex(json_writer *w, const Control__Vertex *v)
{
	json_object_begin(w);
	json_put_string_member(w, "digest", v->digest);
	json_put_strings_member_nonempty(w, "inputs", v->inputs, v->n_inputs);
	json_put_string_member_nonempty(w, "name", v->name);
	put_time(w, "started", v->started);
	put_time(w, "completed", v->completed);
	json_put_bool_member_true(w, "cached", v->cached);
	json_put_string_member_nonempty(w, "error", v->error);
	put_group(w, v->progressgroup);
	json_object_end(w);
}

static void put_status(json_writer *w, const Control__VertexStatus *s)
{
	json_object_begin(w);
	json_put_string_member(w, "id", s->id);
	json_put_string_member_nonempty(w, "vertex", s->vertex);
	json_put_string_member_nonempty(w, "name", s->name);
	json_put_int_member_nonzero(w, "total", s->total);
	json_put_int_member(w, "current", s->current);
	put_time(w, "timestamp", s->timestamp);
	put_time(w, "started", s->started);
	put_time(w, "completed", s->completed);
	json_object_end(w);
}

static void put_log(json_writer *w, const Control__VertexLog *l)
{
	json_object_begin(w);
	json_put_string_member_nonempty(w, "vertex", l->vertex);
	json_put_int_member_nonzero(w, "stream", l->stream);
	json_key(w, "data");
	json_put_base64(w, l->msg.data, l->msg.len);
	put_time(w, "timestamp", l->timestamp);
	json_object_end(w);
}

static void put_position(json_writer *w, const char *key, const Pb__Position *p)
{
	json_object_member_begin(w, key);
	json_put_int_member_nonzero(w, "line", p ? p->line : 0);
	json_put_int_member_nonzero(w, "character", p ? p->character : 0);
	json_object_end(w);
}

static void put_ranges(json_writer *w, const Control__VertexWarning *warning)
{
	if (warning->n_ranges == 0)
		return;
	json_array_member_begin(w, "range");
	for (size_t i = 0; i < warning->n_ranges; i++) {
		json_object_begin(w);
		put_position(w, "start", warning->ranges[i]->start);
		put_position(w, "end", warning->ranges[i]->end);
		json_object_end(w);
	}
	json_array_end(w);
}

static void put_warning(json_writer *w, const Control__VertexWarning *warning)
{
	json_object_begin(w);
	json_put_string_member_nonempty(w, "vertex", warning->vertex);
	json_put_int_member_nonzero(w, "level", warning->level);
	json_key(w, "short");
	json_put_base64(w, warning->short_.data, warning->short_.len);
	if (warning->n_detail > 0) {
		json_array_member_begin(w, "detail");
		for (size_t i = 0; i < warning->n_detail; i++)
			json_put_base64(w, warning->detail[i].data, warning->detail[i].len);
		json_array_end(w);
	}
	json_put_string_member_nonempty(w, "url", warning->url);
	if (warning->info) {
		json_object_member_begin(w, "sourceInfo");
		json_put_string_member_nonempty(w, "filename", warning->info->filename);
		json_key(w, "data");
		json_put_base64(w, warning->info->data.data, warning->info->data.len);
		json_put_string_member_nonempty(w, "language", warning->info->language);
		json_object_end(w);
	}
	put_ranges(w, warning);
	json_object_end(w);
}

#define PUT_LIST(w, key, message, field, put)                                                                          \
	do {                                                                                                           \
		if ((message)->n_##field > 0) {                                                                        \
			json_key(w, key);                                                                              \
			json_array_begin(w);                                                                           \
			for (size_t i = 0; i < (message)->n_##field; i++)                                              \
				put(w, (message)->field[i]);                                                           \
			json_array_end(w);                                                                             \
		}                                                                                                      \
	} while (0)

static void raw_message(void *self, const Control__StatusResponse *message)
{
	struct raw *r = self;
	json_writer *w = json_writer_new(0);
	json_object_begin(w);
	PUT_LIST(w, "vertexes", message, vertexes, put_vertex);
	PUT_LIST(w, "statuses", message, statuses, put_status);
	PUT_LIST(w, "logs", message, logs, put_log);
	PUT_LIST(w, "warnings", message, warnings, put_warning);
	json_object_end(w);
	size_t n = 0;
	g_autofree char *text = json_writer_take(&w, &n);
	text[n] = '\n'; /* replaces the final NUL */
	file_write_all(r->fd, text, n + 1);
}

const struct display_mode display_json = {.name = "rawjson", .open = raw_open, .message = raw_message, .close = g_free};
