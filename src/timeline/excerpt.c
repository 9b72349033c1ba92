/* SPDX-License-Identifier: Apache-2.0 */
#include "timeline/excerpt.h"
#include "timeline/text.h"
#include <string.h>

#define CONTEXT_LINES 2
#define EXCERPT_LINES 40
#define LINE_BYTES 500

struct lines {
	int32_t first, last;
};

static bool is_marked(const Control__VertexWarning *w, int32_t line)
{
	for (size_t i = 0; i < w->n_ranges; i++) {
		const Pb__Range *r = w->ranges[i];
		if (r->start && r->end && line >= r->start->line && line <= r->end->line)
			return true;
	}
	return false;
}

/* The first and last line of all ranges; first is 0 if there is none. */
static struct lines lines_of(const Control__VertexWarning *w)
{
	struct lines all = {0, 0};
	for (size_t i = 0; i < w->n_ranges; i++) {
		const Pb__Range *r = w->ranges[i];
		if (!r->start || !r->end || r->start->line < 1)
			continue;
		if (!all.first || r->start->line < all.first)
			all.first = r->start->line;
		all.last = MAX(all.last, r->end->line);
	}
	return all;
}

char *timeline_excerpt(const Control__VertexWarning *w)
{
	GString *out = g_string_new(NULL);
	struct lines marked = lines_of(w);
	if (!w->info || !marked.first || w->info->data.len == 0)
		return g_string_free(out, FALSE);
	const char *at = (const char *)w->info->data.data, *end = at + w->info->data.len;
	int64_t first = MAX((int64_t)marked.first - CONTEXT_LINES, 1);
	int64_t last = MIN((int64_t)marked.last + CONTEXT_LINES, first + EXCERPT_LINES);
	for (int32_t line = 1; at < end && line <= last; line++) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		size_t n = (size_t)((newline ? newline : end) - at);
		if (line >= first) {
			g_string_append_printf(out, "%s %4d │ ", is_marked(w, line) ? ">" : " ", line);
			timeline_text_append(out, at, MIN(n - (n > 0 && at[n - 1] == '\r'), LINE_BYTES), false);
			g_string_append_c(out, '\n');
		}
		at += newline ? n + 1 : n;
	}
	return g_string_free(out, FALSE);
}
