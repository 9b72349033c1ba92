/* SPDX-License-Identifier: Apache-2.0 */
#include "client/display_mode.h"
#include "base/time.h"
#include "os/file.h"
#include <string.h>
#include <unistd.h>

#define HOLD_US (5 * G_USEC_PER_SEC)     /* the active vertex is displayed at least this long */
#define STARVED_US (10 * G_USEC_PER_SEC) /* after this time without output, a vertex becomes the active one */
#define STATUS_NS (5 * NS_PER_S)         /* interval at which a slow status is printed */
#define STATUS_PERCENT 5
#define NAME_BYTES 72

struct plain {
	int fd;
	int64_t (*now_ns)(void);
	GString *out;
	struct model_vertex *current; /* borrowed from the model */
	int last_index;
	bool not_first;
	bool terminal; /* sanitizes the output of steps */
	bool truncate;
};

static void *plain_open(const struct display_output *output)
{
	struct plain *p = g_new0(struct plain, 1);
	p->fd = output->fd;
	p->now_ns = output->now_ns;
	p->terminal = isatty(p->fd);
	p->out = g_string_new(NULL);
	p->truncate = g_strcmp0(g_getenv("PROGRESS_NO_TRUNC"), "0") == 0;
	return p;
}

static void plain_close(void *self)
{
	struct plain *p = self;
	g_string_free(p->out, TRUE);
	g_free(p);
}

/* Ends a line of step output that is on the screen in part; it is printed again from its beginning. */
static void break_line(struct plain *p, struct model_vertex *v)
{
	if (v->log_printed > 0)
		g_string_append_c(p->out, '\n');
	v->log_printed = 0;
}

/* Prints a mark for the unfinished vertex and the header of the new one. */
static void switch_to(struct plain *p, struct model_vertex *v)
{
	struct model_vertex *old = p->current;
	if (old) {
		break_line(p, old);
		old->count = 0;
		g_string_append_printf(p->out, "#%d ...\n", old->index);
	}
	if (p->not_first)
		g_string_append_c(p->out, '\n');
	p->not_first = true;
	bool cut = p->truncate && strlen(v->name) > NAME_BYTES;
	g_string_append_printf(p->out, "#%d %.*s%s\n", v->index, cut ? NAME_BYTES : (int)strlen(v->name), v->name,
			       cut ? "..." : "");
	v->active_since_us = g_get_monotonic_time();
}

static bool status_is_due(const struct model_status *s)
{
	if (!s->updated)
		return false;
	if (s->completed_ns || !s->shown)
		return true;
	int64_t moved = s->current - s->shown_current;
	bool far = s->total > 0 && moved * 100 >= s->total * STATUS_PERCENT;
	return far || s->time_ns - s->shown_ns >= STATUS_NS;
}

/* Reports whether a status is still open. */
static bool print_statuses(struct plain *p, struct model_vertex *v)
{
	bool open = false;
	for (guint i = 0; i < v->statuses->len; i++) {
		struct model_status *s = v->statuses->pdata[i];
		if (status_is_due(s)) {
			g_autofree char *text = model_status_text(s);
			break_line(p, v);
			g_string_append_printf(p->out, "#%d %s\n", v->index, text);
			s->shown = true;
			s->shown_current = s->current;
			s->shown_ns = s->time_ns;
		}
		open = open || (s->updated && !s->completed_ns);
		s->updated = false;
	}
	return open;
}

/* Prints part of a line of step output; a file gets the bytes unchanged. */
static void print_output(struct plain *p, const struct model_vertex *v, const char *text)
{
	if (!p->terminal) {
		g_string_append(p->out, text);
		return;
	}
	g_autofree char *safe = model_safe_output(text);
	g_auto(GStrv) lines = g_strsplit(safe, "\n", -1);
	for (guint i = 0; lines[i]; i++) {
		if (i > 0)
			g_string_append_printf(p->out, "\n#%d ", v->index);
		g_string_append(p->out, lines[i]);
	}
}

static void print_logs(struct plain *p, struct model_vertex *v)
{
	for (guint i = 0; i < v->logs->len; i++) {
		const char *line = v->logs->pdata[i];
		bool partial = v->log_is_partial && i + 1 == v->logs->len;
		if (i == 0 && v->log_printed > 0) {
			print_output(p, v, line + MIN(v->log_printed, strlen(line)));
		} else {
			g_string_append_printf(p->out, "#%d ", v->index);
			print_output(p, v, line);
		}
		if (!partial)
			g_string_append_c(p->out, '\n');
	}
	if (v->logs->len == 0)
		return;
	guint keep = v->log_is_partial ? 1 : 0;
	g_ptr_array_remove_range(v->logs, 0, v->logs->len - keep);
	v->log_printed = keep ? strlen(v->logs->pdata[0]) : 0;
}

static void print_end(struct plain *p, struct model_vertex *v)
{
	break_line(p, v);
	if (v->error && model_vertex_is_canceled(v))
		g_string_append_printf(p->out, "#%d CANCELED\n", v->index);
	else if (v->error)
		g_string_append_printf(p->out, "#%d ERROR: %s\n", v->index, v->error);
	else if (v->cached)
		g_string_append_printf(p->out, "#%d CACHED\n", v->index);
	else
		g_string_append_printf(p->out, "#%d DONE %.1fs\n", v->index, model_vertex_seconds(v, p->now_ns()));
}

static void print_vertex(struct plain *p, struct model_vertex *v)
{
	if (v->index == 0)
		v->index = ++p->last_index;
	if (v != p->current)
		switch_to(p, v);
	bool open = print_statuses(p, v);
	for (; v->warnings_shown < v->warnings->len; v->warnings_shown++) {
		break_line(p, v);
		g_string_append_printf(p->out, "#%d WARN: %s\n", v->index,
				       (char *)v->warnings->pdata[v->warnings_shown]);
	}
	print_logs(p, v);
	p->current = v;
	if (v->completed_ns && !open) {
		print_end(p, v);
		p->current = NULL;
		v->count = 0;
	}
	v->updated = false;
	v->first_update_us = 0;
}

static int compare_completion(const void *a, const void *b)
{
	const struct model_vertex *x = *(struct model_vertex *const *)a, *y = *(struct model_vertex *const *)b;
	return (x->completed_ns > y->completed_ns) - (x->completed_ns < y->completed_ns);
}

static bool is_shown(const struct model_vertex *v)
{
	return !v->group && !v->hidden && v->started_ns;
}

static void print_completed(struct plain *p, struct model *m)
{
	if (p->current && p->current->updated && p->current->completed_ns)
		print_vertex(p, p->current);
	g_autoptr(GPtrArray) done = g_ptr_array_new();
	for (guint i = 0; i < m->vertices->len; i++) {
		struct model_vertex *v = m->vertices->pdata[i];
		if (v->updated && v->completed_ns && is_shown(v))
			g_ptr_array_add(done, v);
	}
	g_ptr_array_sort(done, compare_completion);
	for (guint i = 0; i < done->len; i++)
		print_vertex(p, done->pdata[i]);
}

/* Selects among the running vertices with new output the most active one, or one that has waited too long. */
static struct model_vertex *choose(struct plain *p, struct model *m)
{
	gint64 now = g_get_monotonic_time();
	struct model_vertex *best = NULL;
	for (guint i = 0; i < m->vertices->len; i++) {
		struct model_vertex *v = m->vertices->pdata[i];
		if (!v->updated || !model_vertex_is_running(v) || !is_shown(v) || v == p->current)
			continue;
		bool starved = v->first_update_us && now - v->first_update_us > STARVED_US;
		if (!best || starved || v->count > best->count)
			best = v;
		if (starved)
			break;
	}
	return best;
}

static void print_running(struct plain *p, struct model *m)
{
	if (p->current && p->current->updated)
		print_vertex(p, p->current);
	if (p->current && g_get_monotonic_time() - p->current->active_since_us < HOLD_US)
		return;
	struct model_vertex *next = choose(p, m);
	if (next)
		print_vertex(p, next);
}

static void plain_print(void *self, struct model *m, bool last)
{
	struct plain *p = self;
	print_completed(p, m);
	print_running(p, m);
	if (last) {
		for (guint i = 0; i < m->vertices->len; i++) {
			struct model_vertex *v = m->vertices->pdata[i];
			if (v->updated && is_shown(v))
				print_vertex(p, v);
		}
		display_append_failures(p->out, m, p->terminal);
	}
	file_write_all(p->fd, p->out->str, p->out->len);
	g_string_truncate(p->out, 0);
}

const struct display_mode display_plain = {
	.name = "plain", .open = plain_open, .print = plain_print, .close = plain_close};
