/* SPDX-License-Identifier: Apache-2.0 */
/*
 * data: a timeline as the JSON that the page's script reads, and as a trace for Chrome and Perfetto.
 *
 *	timeline_analyze(t, now_ns);
 *	g_autofree char *json = timeline_json(t, 0, now_ns, true);
 *	g_autofree char *trace = timeline_chrome_trace(t);
 *
 * The JSON contains no "<", so that it can be inside of a script element. Pure. Thread: that of the timeline.
 */
#pragma once
#include "timeline/timeline.h"

/* since: only the steps that changed after this version (0: all). is_live: further changes may follow. */
char *timeline_json(const timeline *t, uint64_t since, int64_t now_ns, bool is_live);
/* https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU ("Trace Event Format"). */
char *timeline_chrome_trace(const timeline *t);
