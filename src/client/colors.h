/* SPDX-License-Identifier: Apache-2.0 */
/*
 * colors: terminal colours from BUILDKIT_COLORS and NO_COLOR.
 *
 *	struct colors c;
 *	colors_read(&c, g_getenv("BUILDKIT_COLORS"), g_getenv("NO_COLOR"));
 *	fputs(c.codes[COLOR_RUN], stderr);          "" if none
 *
 * BUILDKIT_COLORS is "run=cyan:error=255,80,0": keys run, cancel, error and warning; a name or three numbers up to 255.
 * Invalid values are logged and ignored. Plain data. Thread: any.
 */
#pragma once
#include <stdbool.h>
#include <glib.h>

enum color { COLOR_NONE, COLOR_RUN, COLOR_CANCEL, COLOR_ERROR, COLOR_WARNING, COLOR_FAINT, COLORS };
struct colors {
	char codes[COLORS][16]; /* escape sequences */
};

/* Both texts may be NULL. BUILDKIT_COLORS overrides NO_COLOR. */
void colors_read(struct colors *c, const char *wanted, const char *no_color);
