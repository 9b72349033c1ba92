/* SPDX-License-Identifier: Apache-2.0 */
#include "table.h"
#include <string.h>

struct table {
	int min_width, tab_width, padding;
	char pad_char;
	GString *text;
};

/* The cells of one line. The last cell does not end with a tab and is not part of a column. */
struct line {
	char **cells;
	guint n;
	int *widths; /* width of the cells that end with a tab, including padding */
};

table *table_new(int min_width, int tab_width, int padding, char pad_char)
{
	table *t = g_new0(table, 1);
	t->min_width = min_width;
	t->tab_width = tab_width;
	t->padding = padding;
	t->pad_char = pad_char;
	t->text = g_string_new(NULL);
	return t;
}

void table_add(table *t, const char *text)
{
	g_string_append(t->text, text);
}

void table_printf(table *t, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	g_string_append_vprintf(t->text, format, args);
	va_end(args);
}

static int cell_width(const char *cell)
{
	return (int)g_utf8_strlen(cell, -1);
}

/* Sets one width for the block of lines that starts at `first` and has column `column`. */
static void measure_block(const table *t, struct line *lines, guint first, guint n, guint column)
{
	int widest = 0;
	guint end = first;
	for (; end < n && column + 1 < lines[end].n; end++)
		widest = MAX(widest, cell_width(lines[end].cells[column]));
	int width = widest ? MAX(widest + t->padding, t->min_width) : 0; /* an empty column has width 0 */
	if (t->pad_char == '\t' && t->tab_width > 0)
		width = (width + t->tab_width - 1) / t->tab_width * t->tab_width;
	for (guint i = first; i < end; i++)
		lines[i].widths[column] = width;
}

static void append_padding(const table *t, GString *out, int missing, int width)
{
	if (t->pad_char != '\t') {
		for (int i = 0; i < missing; i++)
			g_string_append_c(out, t->pad_char);
		return;
	}
	if (t->tab_width == 0 || width == 0)
		return;
	for (int i = 0; i < (missing + t->tab_width - 1) / t->tab_width; i++)
		g_string_append_c(out, '\t');
}

static void append_line(const table *t, GString *out, const struct line *line)
{
	for (guint k = 0; k < line->n; k++) {
		g_string_append(out, line->cells[k]);
		if (k + 1 < line->n)
			append_padding(t, out, line->widths[k] - cell_width(line->cells[k]), line->widths[k]);
	}
}

char *table_text(table *t)
{
	g_auto(GStrv) rows = g_strsplit(t->text->str, "\n", -1);
	guint n = g_strv_length(rows);
	g_autofree struct line *lines = g_new0(struct line, n + 1);
	for (guint i = 0; i < n; i++) {
		lines[i].cells = g_strsplit(rows[i], "\t", -1);
		lines[i].n = MAX(g_strv_length(lines[i].cells), 1u);
		lines[i].widths = g_new0(int, lines[i].n);
	}
	for (guint i = 0; i < n; i++)
		for (guint column = 0; column + 1 < lines[i].n; column++)
			if (i == 0 || column + 1 >= lines[i - 1].n)
				measure_block(t, lines, i, n, column);
	GString *out = g_string_new(NULL);
	for (guint i = 0; i < n; i++) {
		if (lines[i].cells[0])
			append_line(t, out, &lines[i]);
		if (i + 1 < n)
			g_string_append_c(out, '\n');
		g_strfreev(lines[i].cells);
		g_free(lines[i].widths);
	}
	return g_string_free(out, FALSE);
}

void table_free(table *t)
{
	if (!t)
		return;
	g_string_free(t->text, TRUE);
	g_free(t);
}
