/* SPDX-License-Identifier: Apache-2.0 */
#include "client/display.h"
#include "base/thread.h"
#include "api/guard.h"
#include "client/cache_report.h"
#include "client/display_mode.h"
#include "format/gotype.h"
#include "progress/progress.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

#define TICK_US (150 * 1000)
#define TICK_MS_MAX 60000

struct display {
	const struct display_mode *mode;
	void *self;  /* state of the display mode */
	void *trace; /* state of display_json; NULL: none */
	int64_t tick_us;
	struct model model;
	GAsyncQueue *queue; /* element type: Control__StatusResponse *; the display itself marks the end */
	GThread *thread;
};

void display_append_failures(GString *out, const struct model *m, bool terminal)
{
	for (guint i = 0; i < m->vertices->len; i++) {
		const struct model_vertex *v = m->vertices->pdata[i];
		if (!v->error || v->group || (v->members && v->hidden) || model_vertex_is_canceled(v))
			continue;
		g_string_append_printf(out, "------\n > %s:\n", v->name);
		for (const GList *line = v->tail.head; line; line = line->next) {
			g_autofree char *safe = terminal ? model_safe_output(line->data) : NULL;
			g_string_append_printf(out, "%s\n", terminal ? safe : (char *)line->data);
		}
		g_string_append(out, "------\n");
	}
}

static void *quiet_open(const struct display_output *out)
{
	return NULL;
}

static const struct display_mode display_quiet = {.name = "quiet", .open = quiet_open};

static const struct display_mode *const modes[] = {&display_plain, &display_tty, &display_json, &display_quiet};

static const struct display_mode *mode_find(const char *name, int fd, GError **error)
{
	if (strcmp(name, "auto") == 0 && g_getenv("BUILDKIT_PROGRESS") && *g_getenv("BUILDKIT_PROGRESS"))
		name = g_getenv("BUILDKIT_PROGRESS");
	bool automatic = strcmp(name, "auto") == 0 || !*name;
	if (automatic)
		return isatty(fd) ? &display_tty : &display_plain;
	for (size_t i = 0; i < G_N_ELEMENTS(modes); i++) {
		if (strcmp(modes[i]->name, name) != 0)
			continue;
		if (modes[i] == &display_tty && !isatty(fd))
			return error_null(error, ERROR_UNKNOWN,
					  "failed to get console: provided file is not a console");
		return modes[i];
	}
	return error_null(error, ERROR_INVALID_ARGUMENT, "invalid progress mode %s", name);
}

static gpointer run(gpointer data)
{
	display *d = data;
	gint64 next = g_get_monotonic_time() + d->tick_us;
	for (;;) {
		gint64 wait = next - g_get_monotonic_time();
		void *item = wait > 0 ? g_async_queue_timeout_pop(d->queue, (guint64)wait) : NULL;
		if (item == d)
			break;
		if (item) {
			if (d->mode->message)
				d->mode->message(d->self, item);
			if (d->trace)
				display_json.message(d->trace, item);
			model_update(&d->model, item);
			guard_free(item);
		}
		if (g_get_monotonic_time() < next)
			continue;
		if (d->mode->print)
			d->mode->print(d->self, &d->model, false);
		next = g_get_monotonic_time() + d->tick_us;
	}
	if (d->mode->print)
		d->mode->print(d->self, &d->model, true);
	return NULL;
}

void display_trace(display *d, int fd)
{
	d->trace = display_json.open(&(struct display_output){.fd = fd, .now_ns = progress_now_ns});
}

display *display_new(const char *mode, int fd, GError **error)
{
	const struct display_mode *found = mode_find(mode, fd, error);
	if (!found)
		return NULL;
	display *d = g_new0(display, 1);
	d->mode = found;
	model_init(&d->model);
	struct display_output out = {.fd = fd, .now_ns = progress_now_ns};
	int64_t rate_ms = 0;
	const char *rate = g_getenv("TTY_DISPLAY_RATE");
	d->tick_us = rate && int_parse(rate, 10, &rate_ms, NULL) && rate_ms > 0 && rate_ms <= TICK_MS_MAX
			     ? rate_ms * 1000
			     : TICK_US;
	d->self = found->open(&out);
	d->queue = g_async_queue_new_full(guard_free);
	d->thread = thread_start("display", run, d, error);
	if (d->thread)
		return d;
	display_free(d);
	return NULL;
}

void display_push(display *d, Control__StatusResponse *message)
{
	g_async_queue_push(d->queue, message);
}

void display_close(display *d)
{
	if (!d->thread)
		return;
	g_async_queue_push(d->queue, d);
	g_thread_join(g_steal_pointer(&d->thread));
}

char *display_cache_report(const display *d, int64_t duration_ms)
{
	return cache_report(&d->model, duration_ms);
}

void display_free(display *d)
{
	if (!d)
		return;
	display_close(d);
	g_async_queue_unref(d->queue);
	if (d->mode->close)
		d->mode->close(d->self);
	if (d->trace)
		display_json.close(d->trace);
	model_clear(&d->model);
	g_free(d);
}
