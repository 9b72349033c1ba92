/* SPDX-License-Identifier: Apache-2.0 */
#include "timeline/graph.h"
#include "timeline/html.h"
#include <stdlib.h>

#define NODE_WIDTH 214
#define NODE_HEIGHT 40
#define COLUMN_WIDTH 264
#define ROW_HEIGHT 54
#define MARGIN 8
#define NAME_CHARS 28
#define PASSES 4

struct node {
	const struct timeline_step *step;
	guint column, row;
	double place; /* average row of the neighbours */
	guint *inputs, n_inputs, n_waiting;
	GArray *users; /* element type: guint */
};
struct drawing {
	struct node *nodes;
	guint n, n_columns, n_rows;
	GPtrArray *columns; /* element type: GPtrArray * of struct node * */
};

/* All steps, or the critical path and its inputs. */
static GPtrArray *steps_to_draw(const timeline *t)
{
	GPtrArray *list = g_ptr_array_new();
	bool all = t->steps->len <= TIMELINE_GRAPH_STEPS;
	g_autoptr(GHashTable) chosen = g_hash_table_new(NULL, NULL);
	for (guint i = 0; !all && i < t->critical->len && g_hash_table_size(chosen) < TIMELINE_GRAPH_STEPS; i++)
		g_hash_table_add(chosen, t->critical->pdata[t->critical->len - 1 - i]);
	for (guint i = 0; !all && i < t->critical->len; i++) {
		const struct timeline_step *s = t->critical->pdata[i];
		for (char **in = s->inputs; *in && g_hash_table_size(chosen) < TIMELINE_GRAPH_STEPS; in++)
			if (timeline_find(t, *in))
				g_hash_table_add(chosen, timeline_find(t, *in));
	}
	for (guint i = 0; i < t->steps->len; i++)
		if (all || g_hash_table_contains(chosen, t->steps->pdata[i]))
			g_ptr_array_add(list, t->steps->pdata[i]);
	return list;
}

static void connect(struct drawing *d, const timeline *t)
{
	g_autoptr(GHashTable) index = g_hash_table_new(NULL, NULL);
	for (guint i = 0; i < d->n; i++)
		g_hash_table_insert(index, (gpointer)(uintptr_t)d->nodes[i].step, GUINT_TO_POINTER(i + 1));
	for (guint i = 0; i < d->n; i++) {
		struct node *node = &d->nodes[i];
		char **inputs = node->step->inputs;
		node->inputs = g_new(guint, g_strv_length(inputs) + 1);
		for (; *inputs; inputs++) {
			guint at = GPOINTER_TO_UINT(g_hash_table_lookup(index, timeline_find(t, *inputs)));
			if (at == 0 || at - 1 == i)
				continue;
			node->inputs[node->n_inputs++] = at - 1;
			g_array_append_val(d->nodes[at - 1].users, i);
		}
		node->n_waiting = node->n_inputs;
	}
}

/* The column of a step is one more than the largest of its inputs. Steps of a cycle, which is malformed, stay in the first. */
static void find_columns(struct drawing *d)
{
	g_autoptr(GArray) ready = g_array_new(FALSE, FALSE, sizeof(guint));
	for (guint i = 0; i < d->n; i++)
		if (d->nodes[i].n_waiting == 0)
			g_array_append_val(ready, i);
	for (guint next = 0; next < ready->len; next++) {
		const struct node *node = &d->nodes[g_array_index(ready, guint, next)];
		for (guint k = 0; k < node->users->len; k++) {
			guint at = g_array_index(node->users, guint, k);
			struct node *user = &d->nodes[at];
			user->column = MAX(user->column, node->column + 1);
			if (--user->n_waiting == 0)
				g_array_append_val(ready, at);
		}
	}
	for (guint i = 0; i < d->n; i++)
		d->n_columns = MAX(d->n_columns, d->nodes[i].column + 1);
}

static int compare_places(const void *a, const void *b)
{
	const struct node *x = *(struct node *const *)a, *y = *(struct node *const *)b;
	if (x->place < y->place || x->place > y->place)
		return x->place < y->place ? -1 : 1;
	return (x->step->number > y->step->number) - (x->step->number < y->step->number);
}

static double average_row(const struct drawing *d, const guint *list, guint n, double otherwise)
{
	double sum = 0;
	for (guint i = 0; i < n; i++)
		sum += d->nodes[list[i]].row;
	return n ? sum / n : otherwise;
}

/* Orders the nodes of each column by the average row of their neighbours, so that fewer edges cross. */
static void find_rows(struct drawing *d)
{
	for (guint i = 0; i < d->n; i++) {
		GPtrArray *column = d->columns->pdata[d->nodes[i].column];
		d->nodes[i].row = column->len;
		g_ptr_array_add(column, &d->nodes[i]);
		d->n_rows = MAX(d->n_rows, column->len);
	}
	for (int pass = 0; pass < PASSES; pass++) {
		for (guint k = 0; k < d->n_columns; k++) {
			GPtrArray *column = d->columns->pdata[pass % 2 ? d->n_columns - 1 - k : k];
			for (guint i = 0; i < column->len; i++) {
				struct node *node = column->pdata[i];
				node->place = pass % 2 ? average_row(d, (const guint *)node->users->data,
								     node->users->len, node->row)
						       : average_row(d, node->inputs, node->n_inputs, node->row);
			}
			g_ptr_array_sort(column, compare_places);
			for (guint i = 0; i < column->len; i++)
				((struct node *)column->pdata[i])->row = i;
		}
	}
}

static guint x_of(const struct node *node)
{
	return MARGIN + node->column * COLUMN_WIDTH;
}

static guint y_of(const struct node *node)
{
	return MARGIN + node->row * ROW_HEIGHT;
}

static void write_edges(GString *out, const struct drawing *d)
{
	for (guint i = 0; i < d->n; i++) {
		const struct node *to = &d->nodes[i];
		for (guint k = 0; k < to->n_inputs; k++) {
			const struct node *from = &d->nodes[to->inputs[k]];
			guint x1 = x_of(from) + NODE_WIDTH, y1 = y_of(from) + NODE_HEIGHT / 2;
			guint x2 = x_of(to), y2 = y_of(to) + NODE_HEIGHT / 2;
			html_add(out, "<path class=\"edge%s\" d=\"M%u %uC%u %u %u %u %u %u\"/>\n",
				 from->step->critical && to->step->critical ? " critical" : "", x1, y1, x1 + 25, y1,
				 x2 - 25, y2, x2, y2);
		}
	}
}

static void write_node(GString *out, const struct node *node)
{
	const struct timeline_step *s = node->step;
	int64_t ns = timeline_step_end(s) ? timeline_step_ns(s, 0) : 0;
	g_autofree char *time = timeline_duration(ns);
	bool cut = g_utf8_strlen(s->name, -1) > NAME_CHARS;
	g_autofree char *name = g_utf8_substring(s->name, 0, cut ? NAME_CHARS - 1 : g_utf8_strlen(s->name, -1));
	html_add(
		out,
		"<a href=\"#step-%u\"><g class=\"node %s%s\"><title>%s</title>"
		"<rect x=\"%u\" y=\"%u\" width=\"%d\" height=\"%d\" rx=\"6\"/>"
		"<text x=\"%u\" y=\"%u\">%s%s</text><text class=\"sub\" x=\"%u\" y=\"%u\">%u · %s%s%s</text></g></a>\n",
		s->number, timeline_state_id(timeline_step_state(s)), s->critical ? " critical" : "", s->name,
		x_of(node), y_of(node), NODE_WIDTH, NODE_HEIGHT, x_of(node) + 9, y_of(node) + 17, name, cut ? "…" : "",
		x_of(node) + 9, y_of(node) + 32, s->number, timeline_state_id(timeline_step_state(s)), ns ? " · " : "",
		ns ? time : "");
}

static void write_drawing(GString *out, const struct drawing *d)
{
	guint width = d->n_columns * COLUMN_WIDTH - (COLUMN_WIDTH - NODE_WIDTH) + 2 * MARGIN;
	guint height = d->n_rows * ROW_HEIGHT - (ROW_HEIGHT - NODE_HEIGHT) + 2 * MARGIN;
	html_add(out,
		 "<div class=\"graph\" tabindex=\"0\" role=\"region\" aria-label=\"Graph\">"
		 "<svg width=\"%u\" height=\"%u\" viewBox=\"0 0 %u %u\">\n",
		 width, height, width, height);
	write_edges(out, d);
	for (guint i = 0; i < d->n; i++)
		write_node(out, &d->nodes[i]);
	g_string_append(out, "</svg></div>\n");
}

void timeline_graph_write(GString *out, const timeline *t)
{
	g_autoptr(GPtrArray) steps = steps_to_draw(t);
	if (steps->len == 0)
		return;
	struct drawing d = {.nodes = g_new0(struct node, steps->len),
			    .n = steps->len,
			    .columns = g_ptr_array_new_with_free_func((GDestroyNotify)g_ptr_array_unref)};
	for (guint i = 0; i < d.n; i++) {
		d.nodes[i].step = steps->pdata[i];
		d.nodes[i].users = g_array_new(FALSE, FALSE, sizeof(guint));
	}
	connect(&d, t);
	find_columns(&d);
	for (guint i = 0; i < d.n_columns; i++)
		g_ptr_array_add(d.columns, g_ptr_array_new());
	find_rows(&d);
	if (d.n < t->steps->len)
		html_add(out, "<p class=\"note\">%u of %u steps: the critical path and its inputs.</p>\n", d.n,
			 t->steps->len);
	write_drawing(out, &d);
	for (guint i = 0; i < d.n; i++) {
		g_free(d.nodes[i].inputs);
		g_array_unref(d.nodes[i].users);
	}
	g_ptr_array_unref(d.columns);
	g_free(d.nodes);
}
