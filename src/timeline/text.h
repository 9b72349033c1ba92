/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text: makes texts of a peer safe to show. Internal to timeline/.
 *
 *	timeline_text_append(out, line, n, false);
 *	n = timeline_text_escape(p, end - p);            skips colours and cursor movements of a step's output
 *
 * Pure. Thread: any.
 */
#pragma once
#include "timeline/timeline.h"

/* lines: keeps line breaks. */
void timeline_text_append(GString *out, const char *text, size_t n, bool lines);
char *timeline_text_lines(const char *text, size_t n);
/* The length of the control sequence (ESC [ parameters letter) at p, or 0. */
size_t timeline_text_escape(const char *p, size_t n);
