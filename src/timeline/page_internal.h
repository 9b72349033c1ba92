/* SPDX-License-Identifier: Apache-2.0 */
/*
 * page_internal: what the files of the pages share. Internal to timeline/.
 *
 *	GString *out = page_begin("Builds", page);
 *	page_end(out, NULL);
 *
 * Pure. Thread: that of the timeline.
 */
#pragma once
#include "timeline/html.h"
#include "timeline/page.h"

GString *page_begin(const char *title, const struct timeline_page *page);
/* json: data of the script, or NULL. */
char *page_end(GString *out, const char *json);
/* "2026-12-01 03:04:05 UTC" in a time element. */
void page_add_time(GString *out, int64_t ns);
void page_add_state(GString *out, const char *state);
/* A bar of the share from start to end of a row of 1000 units. */
void page_add_bar(GString *out, const char *class, int64_t start, int64_t end, int64_t whole);
/* running, done, failed or canceled. */
const char *page_build_state(const timeline *t, const struct timeline_page *page);
