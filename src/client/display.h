/* SPDX-License-Identifier: Apache-2.0 */
/*
 * display: prints the progress of a build: auto, plain, tty, rawjson, quiet.
 *
 *	g_autoptr(display) d = display_new("auto", STDERR_FILENO, error);
 *	display_push(d, message);            StatusResponse, owned; any thread
 *	display_close(d);                    prints the remaining output and the logs of failed vertices
 *
 * The display's thread prints at most every 150 ms (TTY_DISPLAY_RATE). Text of the daemon is untrusted: control
 * characters are never sent to a terminal. Thread: any.
 */
#pragma once
#include "base/error.h"
#include "control.pb-c.h"

typedef struct display display;

/* mode: auto, plain, tty, rawjson, quiet; auto honours BUILDKIT_PROGRESS. Errors: "invalid progress mode x". */
display *display_new(const char *mode, int fd, GError **error);
/* Also writes every message to fd in the format of rawjson. Call before the first message; the caller owns fd. */
void display_trace(display *d, int fd);
void display_push(display *d, Control__StatusResponse *message);
void display_close(display *d);
/* Returns, after the end, one line per step that missed the cache, and one JSON object with counts. */
char *display_cache_report(const display *d, int64_t duration_ms);
void display_free(display *d);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(display, display_free)
