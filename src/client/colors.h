/* SPDX-License-Identifier: Apache-2.0 */
/*
 * colors: what BUILDKIT_COLORS and NO_COLOR make of a terminal's colours.
 *
 *	struct colors c;
 *	colors_read(&c, g_getenv("BUILDKIT_COLORS"), g_getenv("NO_COLOR"));
 *	fputs(c.codes[COLOR_RUN], stderr);          "" for none
 *
 * BUILDKIT_COLORS is "run=cyan:error=255,80,0": keys run, cancel, error and warning; a name or three numbers up to 255.
 * What cannot be read is named in the log and left at its default. Plain data. Thread: any.
 */
#pragma once
#include <stdbool.h>
#include <glib.h>

enum color { COLOR_NONE, COLOR_RUN, COLOR_CANCEL, COLOR_ERROR, COLOR_WARNING, COLOR_FAINT, COLORS };
struct colors {
	char codes[COLORS][16]; /* escape sequences */
};

/* Both texts may be NULL. Without colours what wanted names still has one. */
void colors_read(struct colors *c, const char *wanted, const char *no_color);
