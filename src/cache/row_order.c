/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/row_order.h"

struct node {
	void *item;
	guint waits;      /* number of needed nodes that have not come yet */
	GPtrArray *users; /* of struct node *, NULL: none */
};

struct row_order {
	GPtrArray *nodes;    /* of struct node *, owned */
	GHashTable *by_item; /* item to node */
};

static void node_free(gpointer data)
{
	struct node *n = data;
	g_clear_pointer(&n->users, g_ptr_array_unref);
	g_free(n);
}

row_order *row_order_new(void)
{
	row_order *o = g_new0(row_order, 1);
	o->nodes = g_ptr_array_new_with_free_func(node_free);
	o->by_item = g_hash_table_new(NULL, NULL);
	return o;
}

void row_order_add(row_order *o, void *item)
{
	struct node *n = g_new0(struct node, 1);
	n->item = item;
	g_ptr_array_add(o->nodes, n);
	g_hash_table_insert(o->by_item, item, n);
}

void row_order_needs(row_order *o, void *item, void *other)
{
	struct node *n = g_hash_table_lookup(o->by_item, item);
	struct node *below = other ? g_hash_table_lookup(o->by_item, other) : NULL;
	n->waits++;
	if (!below)
		return;
	if (!below->users)
		below->users = g_ptr_array_new();
	g_ptr_array_add(below->users, n);
}

GPtrArray *row_order_run(row_order *o)
{
	g_autoptr(GPtrArray) ready = g_ptr_array_new();
	GPtrArray *items = g_ptr_array_sized_new(o->nodes->len);
	for (guint i = 0; i < o->nodes->len; i++)
		if (((const struct node *)o->nodes->pdata[i])->waits == 0)
			g_ptr_array_add(ready, o->nodes->pdata[i]);
	for (guint at = 0; at < ready->len; at++) {
		const struct node *n = ready->pdata[at];
		g_ptr_array_add(items, n->item);
		for (guint i = 0; n->users && i < n->users->len; i++) {
			struct node *user = n->users->pdata[i];
			if (--user->waits == 0)
				g_ptr_array_add(ready, user);
		}
	}
	g_ptr_array_unref(o->nodes);
	g_hash_table_unref(o->by_item);
	g_free(o);
	return items;
}
