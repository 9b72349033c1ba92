/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/dockerfile/text_table.h"

static size_t width(const char *text)
{
	return (size_t)g_utf8_strlen(text, -1);
}

void text_table_append(GString *out, const char *const *cells, size_t rows, size_t columns, size_t padding)
{
	g_autofree size_t *widths = g_new0(size_t, columns);
	for (size_t r = 0; r < rows; r++)
		for (size_t c = 0; c < columns; c++)
			widths[c] = MAX(widths[c], width(cells[r * columns + c]) + padding);
	for (size_t r = 0; r < rows; r++) {
		for (size_t c = 0; c < columns; c++) {
			const char *cell = cells[r * columns + c];
			g_string_append(out, cell);
			for (size_t n = width(cell); c + 1 < columns && n < widths[c]; n++)
				g_string_append_c(out, ' ');
		}
		g_string_append_c(out, '\n');
	}
}
