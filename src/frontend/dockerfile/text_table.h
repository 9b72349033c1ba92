/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text_table: aligns columns like Go's text/tabwriter: a column is as wide as its widest cell plus padding; the last
 * column is not padded.
 *
 *	const char *cells[] = {"NAME", "VERSION", "tok", "1.0.0"};
 *	text_table_append(out, cells, 2, 2, 1);
 *
 * Thread: any.
 */
#pragma once
#include <glib.h>
#include <stddef.h>

/* cells: listed row by row. */
void text_table_append(GString *out, const char *const *cells, size_t rows, size_t columns, size_t padding);
