/* SPDX-License-Identifier: Apache-2.0 */
#include "client/excerpt.h"
#include "base/limits.h"
#include "format/json_writer.h"
#include <string.h>

#define RULE "--------------------\n"
#define PAD_SEVERAL 2
#define PAD_ONE 4

static bool is_marked(int line, const int (*ranges)[2], size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (line >= ranges[i][0] && line <= ranges[i][1])
			return true;
	return false;
}

/* Extends the range on both sides until the padding is used up, with upstream's arithmetic. */
static void widen(int *start, int *end, int n_lines)
{
	int pad = *start == *end ? PAD_ONE : PAD_SEVERAL;
	for (int used = 0; used < pad; used++) {
		if (*start > 1) {
			--*start;
			used++;
		}
		if (*end != n_lines) {
			++*end;
			used++;
		}
	}
}

/* Prints name:line, then the marked lines with two lines of context. ranges: pairs of first and last line. */
static void excerpt_print(GString *out, const char *name, const char *bytes, size_t n, const int (*ranges)[2],
			  size_t n_ranges)
{
	g_autofree char *text = g_strndup(bytes, n);
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	int n_lines = (int)g_strv_length(lines);
	if (n_ranges == 0)
		return;
	int start = ranges[0][0], end = ranges[0][1];
	for (size_t i = 1; i < n_ranges; i++) {
		start = MIN(start, ranges[i][0]);
		end = MAX(end, ranges[i][1]);
	}
	if (start < 1 || start > n_lines)
		return;
	end = MIN(end, n_lines);
	int shown_line = start;
	widen(&start, &end, n_lines);
	g_string_append_printf(out, "%s:%d\n" RULE, name, shown_line);
	for (int line = start; line <= end; line++)
		g_string_append_printf(out, " %3d | %s %s\n", line, is_marked(line, ranges, n_ranges) ? ">>>" : "   ",
				       lines[line - 1]);
	g_string_append(out, RULE);
}

static int line_of(const json_t *range, const char *end)
{
	return (int)json_integer_value(json_object_get(json_object_get(range, end), "line"));
}

static void print_detail(GString *out, const char *json)
{
	g_autoptr(json_t) source = json_read(json, strlen(json), (size_t)LIMIT_MESSAGE_BYTES, "error source", NULL);
	const json_t *info = json_object_get(source, "info");
	const char *data = json_string_value(json_object_get(info, "data"));
	const char *name = json_string_value(json_object_get(info, "filename"));
	const json_t *list = json_object_get(source, "ranges");
	if (!data || !name)
		return;
	size_t n_ranges = json_array_size(list);
	g_autofree int(*ranges)[2] = g_malloc0_n(n_ranges + 1, sizeof *ranges);
	for (size_t i = 0; i < n_ranges; i++) {
		ranges[i][0] = line_of(json_array_get(list, i), "start");
		ranges[i][1] = line_of(json_array_get(list, i), "end");
	}
	gsize n = 0;
	g_autofree guchar *bytes = g_base64_decode(data, &n);
	excerpt_print(out, name, (const char *)bytes, n, (const int(*)[2])ranges, n_ranges);
}

void excerpt_print_all(GString *out, const GError *error)
{
	const GPtrArray *details = error_get_details(error);
	for (guint i = 0; details && i < details->len; i++) {
		const struct error_detail *detail = details->pdata[i];
		if (strcmp(detail->type, "errdefs.Source") == 0)
			print_detail(out, detail->json);
	}
}
