/* SPDX-License-Identifier: Apache-2.0 */
/* The page that compares two builds, step by step. */
#include "timeline/page_internal.h"
#include <stdlib.h>

struct pair {
	const struct timeline_step *a, *b; /* NULL: only in the other build */
	int64_t a_ns, b_ns;
};

/* Steps are the same if their names are; of several with one name the n-th of both builds. Takes what it finds. */
static const struct timeline_step *take_by_name(GHashTable *by_name, const char *name)
{
	GQueue *list = g_hash_table_lookup(by_name, name);
	return list ? g_queue_pop_head(list) : NULL;
}

static GHashTable *steps_by_name(const timeline *t)
{
	GHashTable *by_name = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)g_queue_free);
	for (guint i = 0; i < t->steps->len; i++) {
		struct timeline_step *s = t->steps->pdata[i];
		GQueue *list = g_hash_table_lookup(by_name, s->name);
		if (!list) {
			list = g_queue_new();
			g_hash_table_insert(by_name, s->name, list);
		}
		g_queue_push_tail(list, s);
	}
	return by_name;
}

static int compare_pairs(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;
	int64_t x_ns = llabs(x->b_ns - x->a_ns), y_ns = llabs(y->b_ns - y->a_ns);
	if (x_ns != y_ns)
		return x_ns > y_ns ? -1 : 1;
	unsigned x_number = x->b ? x->b->number : x->a->number, y_number = y->b ? y->b->number : y->a->number;
	return (x_number > y_number) - (x_number < y_number);
}

static GArray *pairs_of(const timeline *a, const timeline *b)
{
	GArray *pairs = g_array_new(FALSE, TRUE, sizeof(struct pair));
	g_autoptr(GHashTable) by_name = steps_by_name(a);
	for (guint i = 0; i < b->steps->len; i++) {
		const struct timeline_step *s = b->steps->pdata[i];
		struct pair pair = {.a = take_by_name(by_name, s->name), .b = s};
		g_array_append_val(pairs, pair);
	}
	for (guint i = 0; i < a->steps->len; i++) {
		const struct timeline_step *s = a->steps->pdata[i];
		GQueue *rest = g_hash_table_lookup(by_name, s->name);
		struct pair pair = {.a = s};
		if (rest && g_queue_remove(rest, s))
			g_array_append_val(pairs, pair);
	}
	for (guint i = 0; i < pairs->len; i++) {
		struct pair *pair = &g_array_index(pairs, struct pair, i);
		pair->a_ns = pair->a ? timeline_step_ns(pair->a, a->end_ns) : 0;
		pair->b_ns = pair->b ? timeline_step_ns(pair->b, b->end_ns) : 0;
	}
	g_array_sort(pairs, compare_pairs);
	return pairs;
}

static void add_side(GString *out, const struct timeline_step *s, int64_t ns)
{
	g_autofree char *time = timeline_duration(ns);
	if (!s) {
		g_string_append(out, "<td class=\"note\">not in this build</td><td></td>");
		return;
	}
	g_string_append(out, "<td>");
	page_add_state(out, timeline_state_id(timeline_step_state(s)));
	html_add(out, "</td><td class=\"number\">%s</td>", s->spans->len ? time : "–");
}

static void add_difference(GString *out, int64_t ns)
{
	g_autofree char *time = timeline_duration(llabs(ns));
	bool none = llabs(ns) < 1000000;
	html_add(out, "<td class=\"number %s\">%s%s</td>",
		 none     ? ""
		 : ns > 0 ? "slower"
			  : "faster",
		 none     ? ""
		 : ns > 0 ? "+"
			  : "−",
		 none ? "–" : time);
}

static void add_pair(GString *out, const struct pair *pair, int64_t longest)
{
	const struct timeline_step *s = pair->b ? pair->b : pair->a;
	html_add(out, "<tr><th scope=\"row\">%s", s->name);
	if (pair->b && pair->b->miss)
		html_add(out, "<div class=\"miss\">cache miss: %s</div>", pair->b->miss);
	g_string_append(out, "</th>");
	add_side(out, pair->a, pair->a_ns);
	add_side(out, pair->b, pair->b_ns);
	add_difference(out, pair->b_ns - pair->a_ns);
	g_string_append(
		out,
		"<td class=\"chart\"><svg viewBox=\"0 0 1000 24\" preserveAspectRatio=\"none\" aria-hidden=\"true\">");
	page_add_bar(out, "cache", 0, pair->a_ns, longest);
	g_string_append(out, "<g transform=\"translate(0 13)\">");
	page_add_bar(out, "run", 0, pair->b_ns, longest);
	g_string_append(out, "</g></svg></td></tr>\n");
}

static void add_build(GString *out, const char *name, const char *class, const timeline *t,
		      const struct timeline_page *page)
{
	g_autofree char *time = timeline_duration(t->end_ns - t->start_ns), *path = timeline_build_path(t->ref);
	html_add(out,
		 "<tr><th scope=\"row\"><svg class=\"key\" viewBox=\"0 0 10 10\" aria-hidden=\"true\"><rect "
		 "class=\"%s\" width=\"10\" height=\"10\"/></svg> %s</th><td>",
		 class, name);
	if (page->is_served)
		html_add(out, "<a href=\"/%s\">%s</a>", path, *t->title ? t->title : t->ref);
	else
		html_add(out, "%s", *t->title ? t->title : t->ref);
	html_add(out, "<div class=\"ref\">%s</div></td><td>", t->ref);
	page_add_state(out, page_build_state(t, page));
	html_add(out,
		 "</td><td class=\"number\">%s</td><td class=\"number\">%u</td><td class=\"number\">%u</td></tr>\n",
		 time, t->steps->len, t->n[TIMELINE_CACHED]);
}

char *timeline_page_compare(const timeline *a, const timeline *b, const struct timeline_page *page)
{
	GString *out = page_begin("Comparison of two builds", page);
	g_autoptr(GArray) pairs = pairs_of(a, b);
	int64_t longest = 0;
	for (guint i = 0; i < pairs->len; i++) {
		const struct pair *pair = &g_array_index(pairs, struct pair, i);
		longest = MAX(longest, MAX(pair->a_ns, pair->b_ns));
	}
	g_string_append(out, "<header class=\"top\"><h1>Comparison of two builds</h1>");
	if (page->is_served)
		g_string_append(out, "<nav aria-label=\"Pages\"><a href=\"/\">All builds</a></nav>");
	g_string_append(out, "</header>\n<main id=\"main\">\n<section aria-label=\"Builds\"><div "
			     "class=\"scroll\"><table><thead><tr><th></th><th scope=\"col\">Build</th>"
			     "<th scope=\"col\">Result</th><th scope=\"col\" class=\"number\">Duration</th>"
			     "<th scope=\"col\" class=\"number\">Steps</th><th scope=\"col\" "
			     "class=\"number\">Cached</th></tr></thead><tbody>\n");
	add_build(out, "First", "cache", a, page);
	add_build(out, "Second", "run", b, page);
	g_string_append(out,
			"</tbody></table></div></section>\n<section aria-labelledby=\"h-pairs\"><h2 "
			"id=\"h-pairs\">Steps, the largest difference first</h2>\n"
			"<div class=\"scroll\"><table class=\"steps\"><thead><tr><th scope=\"col\">Step</th><th "
			"scope=\"col\" colspan=\"2\">First</th>"
			"<th scope=\"col\" colspan=\"2\">Second</th><th scope=\"col\" class=\"number\">Difference</th>"
			"<th scope=\"col\" class=\"chart\">Durations</th></tr></thead>\n<tbody>\n");
	for (guint i = 0; i < pairs->len; i++)
		add_pair(out, &g_array_index(pairs, struct pair, i), longest);
	g_string_append(out, "</tbody></table></div></section>\n</main>\n");
	return page_end(out, NULL);
}
