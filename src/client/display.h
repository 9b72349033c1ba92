/* SPDX-License-Identifier: Apache-2.0 */
/*
 * display: what a build shows while it runs: auto, plain, tty, rawjson, quiet (daemon-and-client.md section 1.8).
 *
 *	g_autoptr(display) d = display_new("auto", STDERR_FILENO, error);
 *	display_push(d, message);            StatusResponse, owned; any thread
 *	display_close(d);                    prints what is left, with the summary of failed vertices
 *
 * A thread of its own prints at most every 150 ms (TTY_DISPLAY_RATE). Text of the daemon is untrusted: a terminal never sees its control
 * bytes. Thread: any.
 */
#pragma once
#include "base/error.h"
#include "control.pb-c.h"

typedef struct display display;

/* mode: auto, plain, tty, rawjson, quiet; auto honours BUILDKIT_PROGRESS. Errors: "invalid progress mode x". */
display *display_new(const char *mode, int fd, GError **error);
/* Every message is written to fd, too, as rawjson writes it. Before the first message; the fd stays the caller's. */
void display_trace(display *d, int fd);
void display_push(display *d, Control__StatusResponse *message);
void display_close(display *d);
/* After the end: the steps that missed the cache, a line each, and one JSON object of counts. */
char *display_cache_report(const display *d, int64_t duration_ms);
void display_free(display *d);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(display, display_free)
