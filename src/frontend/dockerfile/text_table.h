/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text_table: columns as Go's text/tabwriter aligns them: each as wide as its widest cell and the padding, the last one
 * of a line unpadded.
 *
 *	const char *cells[] = {"NAME", "VERSION", "tok", "1.0.0"};
 *	text_table_append(out, cells, 2, 2, 1);
 *
 * Thread: any.
 */
#pragma once
#include <glib.h>
#include <stddef.h>

/* cells: row by row. */
void text_table_append(GString *out, const char *const *cells, size_t rows, size_t columns, size_t padding);
