/* SPDX-License-Identifier: Apache-2.0 */
/*
 * row_order: orders the rows of a database so that each row comes after those that it depends on. The database is not
 * trusted: the result omits rows that are part of a cycle and rows that depend on a cycle or on a missing row.
 *
 *	row_order *o = row_order_new();
 *	row_order_add(o, item);
 *	row_order_needs(o, item, other);                       both added, in any order; NULL: missing
 *	g_autoptr(GPtrArray) usable = row_order_run(o);        frees o; of borrowed items
 *
 * Thread: one.
 */
#pragma once
#include <glib.h>
#include <stdbool.h>

typedef struct row_order row_order;

row_order *row_order_new(void);
void row_order_add(row_order *o, void *item);
void row_order_needs(row_order *o, void *item, void *other);
GPtrArray *row_order_run(row_order *o);
