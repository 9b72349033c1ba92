/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table: columns aligned with tabs, as Go's text/tabwriter aligns them.
 *
 *	g_autoptr(table) t = table_new(1, 8, 1, '\t');
 *	table_add(t, "ID\tSIZE\n"); ... print(table_text(t))
 *
 * Cells end with a tab; a column is a block of consecutive lines that have that cell. Thread: one at a time.
 */
#pragma once
#include <glib.h>

typedef struct table table;

/* min_width, tab_width, padding and pad_char have the meaning they have in tabwriter.NewWriter. */
table *table_new(int min_width, int tab_width, int padding, char pad_char);
void table_add(table *t, const char *text);
void table_printf(table *t, const char *format, ...) G_GNUC_PRINTF(2, 3);
char *table_text(table *t);
void table_free(table *t);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(table, table_free)
