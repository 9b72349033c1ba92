/* SPDX-License-Identifier: Apache-2.0 */
#include "client/colors.h"
#include "client/display_mode.h"
#include "os/file.h"
#include <string.h>
#include <sys/ioctl.h>

#define DEFAULT_WIDTH 80
#define DEFAULT_HEIGHT 10
#define LOG_LINES 6
#define NAME_WIDTH_MIN 12
#define HIDE_CURSOR "\x1b[?25l"
#define SHOW_CURSOR "\x1b[?25h"

struct tty {
	int fd;
	int64_t (*now_ns)(void);
	struct colors colors;
	int log_lines;
	int printed; /* number of screen lines that the next frame overwrites */
	GString *out;
};

/* One line of a frame. */
struct row {
	char *text;
	char *time; /* right-aligned, may be "" */
	enum color color;
};

static void row_clear(gpointer data)
{
	struct row *r = data;
	g_free(r->text);
	g_free(r->time);
}

static void *tty_open(const struct display_output *output)
{
	struct tty *t = g_new0(struct tty, 1);
	t->fd = output->fd;
	t->now_ns = output->now_ns;
	colors_read(&t->colors, g_getenv("BUILDKIT_COLORS"), g_getenv("NO_COLOR"));
	t->out = g_string_new(NULL);
	const char *lines = g_getenv("BUILDKIT_TTY_LOG_LINES");
	t->log_lines = lines ? (int)g_ascii_strtoll(lines, NULL, 10) : LOG_LINES;
	return t;
}

static void tty_close(void *self)
{
	struct tty *t = self;
	g_string_free(t->out, TRUE);
	g_free(t);
}

static void add_row(GArray *rows, enum color color, char *text, char *time)
{
	struct row r = {.text = text, .time = time, .color = color};
	g_array_append_val(rows, r);
}

static void add_statuses(GArray *rows, const struct model_vertex *v)
{
	for (guint i = 0; i < v->statuses->len; i++) {
		const struct model_status *s = v->statuses->pdata[i];
		int64_t end = s->completed_ns ? s->completed_ns : s->time_ns;
		double seconds = s->started_ns ? (double)(end - s->started_ns) / 1e9 : 0;
		struct model_status shown = *s;
		shown.started_ns = shown.completed_ns = 0;
		g_autofree char *text = model_status_text(&shown);
		add_row(rows, s->completed_ns ? COLOR_RUN : COLOR_NONE, g_strdup_printf(" => => %s", text),
			g_strdup_printf("%.1fs", seconds));
	}
}

static void add_vertex(GArray *rows, const struct model_vertex *v, int64_t now_ns)
{
	const char *state = "";
	enum color color = v->completed_ns ? COLOR_RUN : COLOR_NONE;
	if (v->error && model_vertex_is_canceled(v)) {
		state = "CANCELED ";
		color = COLOR_CANCEL;
	} else if (v->error) {
		state = "ERROR ";
		color = COLOR_ERROR;
	} else if (v->cached) {
		state = "CACHED ";
	}
	add_row(rows, color, g_strdup_printf(" => %s%s", state, v->name),
		g_strdup_printf("%.1fs", model_vertex_seconds(v, now_ns)));
	add_statuses(rows, v);
	for (guint i = 0; i < v->warnings->len; i++)
		add_row(rows, COLOR_WARNING, g_strdup_printf(" => WARN: %s", (char *)v->warnings->pdata[i]),
			g_strdup(""));
}

/* Adds the last output lines of a running step. */
static void add_log_window(struct tty *t, GArray *rows, const struct model_vertex *v)
{
	if (!model_vertex_is_running(v))
		return;
	guint skip = v->tail.length > (guint)MAX(t->log_lines, 0) ? v->tail.length - (guint)MAX(t->log_lines, 0) : 0;
	for (const GList *line = g_queue_peek_nth_link((GQueue *)(uintptr_t)&v->tail, skip); line; line = line->next) {
		g_autofree char *safe = model_safe_text(line->data);
		add_row(rows, COLOR_FAINT, g_strdup_printf(" => => # %s", safe), g_strdup(""));
	}
}

static GArray *make_rows(struct tty *t, struct model *m)
{
	GArray *rows = g_array_new(FALSE, TRUE, sizeof(struct row));
	g_array_set_clear_func(rows, row_clear);
	int64_t now_ns = t->now_ns();
	for (guint i = 0; i < m->vertices->len; i++) {
		const struct model_vertex *v = m->vertices->pdata[i];
		if (v->group || v->hidden || !v->started_ns)
			continue;
		add_vertex(rows, v, now_ns);
		add_log_window(t, rows, v);
	}
	return rows;
}

/* Cuts text to `width` columns; every character counts as one column. */
static char *fit(const char *text, int width)
{
	return g_utf8_strlen(text, -1) <= width ? g_strdup(text) : g_utf8_substring(text, 0, MAX(width, 0));
}

static void append_row(struct tty *t, const struct row *r, int width)
{
	int space = width - (int)strlen(r->time) - 1;
	if (space < NAME_WIDTH_MIN)
		return;
	g_autofree char *text = fit(r->text, space);
	int pad = space - (int)g_utf8_strlen(text, -1);
	const char *code = t->colors.codes[r->color];
	g_string_append_printf(t->out, "%s%s%*s %s%s\x1b[K\n", code, text, pad, "", r->time, *code ? "\x1b[0m" : "");
	t->printed++;
}

static void get_size(int fd, int *ret_width, int *ret_height)
{
	struct winsize size = {0};
	bool known = ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0;
	*ret_width = known ? size.ws_col : DEFAULT_WIDTH;
	*ret_height = known ? size.ws_row : DEFAULT_HEIGHT;
}

static void tty_print(void *self, struct model *m, bool last)
{
	struct tty *t = self;
	int width, height, done = 0, total = 0;
	get_size(t->fd, &width, &height);
	for (guint i = 0; i < m->vertices->len; i++) {
		const struct model_vertex *v = m->vertices->pdata[i];
		total += !v->group && !v->hidden;
		done += !v->group && !v->hidden && v->completed_ns;
	}
	g_autoptr(GArray) rows = make_rows(t, m);
	int old = t->printed;
	g_string_append(t->out, HIDE_CURSOR);
	if (old > 0)
		g_string_append_printf(t->out, "\x1b[%dA\r", old);
	g_string_append_printf(t->out, "[+] Building %.1fs (%d/%d)%s\x1b[K\n",
			       (double)(t->now_ns() - m->started_ns) / 1e9, done, total, last ? " FINISHED" : "");
	t->printed = 1;
	guint first = !last && (int)rows->len > height - 2 ? rows->len - (guint)MAX(height - 2, 0) : 0;
	for (guint i = first; i < rows->len; i++)
		append_row(t, &g_array_index(rows, struct row, i), width);
	if (t->printed < old)
		g_string_append(t->out, "\x1b[J");
	if (last)
		display_append_failures(t->out, m, true);
	g_string_append(t->out, SHOW_CURSOR);
	file_write_all(t->fd, t->out->str, t->out->len);
	g_string_truncate(t->out, 0);
}

const struct display_mode display_tty = {.name = "tty", .open = tty_open, .print = tty_print, .close = tty_close};
