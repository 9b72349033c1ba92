/* SPDX-License-Identifier: Apache-2.0 */
/* The page of one build. */
#include "timeline/data.h"
#include "timeline/graph.h"
#include "timeline/page_internal.h"

#define CRITICAL_ROWS 12
#define PER_MILLE 1000

static void add_card(GString *out, const char *id, const char *name, const char *value, bool hidden)
{
	html_add(out, "<div%s><dt>%s</dt><dd id=\"%s\">%s</dd></div>", hidden ? " hidden" : "", name, id, value);
}

/* The script shows those that were 0. */
static void add_count(GString *out, const char *id, const char *name, unsigned n)
{
	g_autofree char *value = g_strdup_printf("%u", n);
	add_card(out, id, name, value, n == 0);
}

static unsigned count_warnings(const timeline *t)
{
	unsigned n = 0;
	for (guint i = 0; i < t->steps->len; i++)
		n += ((const struct timeline_step *)t->steps->pdata[i])->warnings->len;
	return n;
}

static void add_summary(GString *out, const timeline *t, const struct timeline_page *page)
{
	g_autofree char *duration = timeline_duration(t->end_ns - t->start_ns);
	g_string_append(out, "<section aria-label=\"Summary\"><dl class=\"cards\">");
	g_string_append(out, "<div><dt>Result</dt><dd id=\"build-state\">");
	page_add_state(out, page_build_state(t, page));
	g_string_append(out, "</dd></div>");
	add_card(out, "build-duration", "Duration", duration, false);
	add_count(out, "n-total", "Steps", t->steps->len);
	add_count(out, "n-cached", "Cached", t->n[TIMELINE_CACHED]);
	add_count(out, "n-done", "Ran", t->n[TIMELINE_DONE]);
	add_count(out, "n-running", "Running", t->n[TIMELINE_RUNNING]);
	add_count(out, "n-pending", "Not needed or not started", t->n[TIMELINE_PENDING]);
	add_count(out, "n-failed", "Failed", t->n[TIMELINE_FAILED] + t->n[TIMELINE_CANCELED]);
	add_count(out, "n-warnings", "Warnings", count_warnings(t));
	g_string_append(out, "</dl>\n");
	if (t->steps_left_out > 0)
		html_add(out, "<p class=\"note\">%zu messages about further steps are not shown.</p>\n",
			 t->steps_left_out);
	if (page->notice)
		html_add(out, "<p class=\"note\">%s</p>\n", page->notice);
	g_string_append(out, "</section>\n");
}

/* Which share of the time of all steps was spent in each phase. */
static void add_phases(GString *out, const timeline *t)
{
	int64_t sum = 0, at = 0;
	for (int phase = 0; phase < TIMELINE_N_PHASES; phase++)
		sum += t->phase_ns[phase];
	if (sum == 0)
		return;
	g_string_append(
		out, "<section aria-labelledby=\"h-phases\"><h2 id=\"h-phases\">Time of all steps by phase</h2>\n"
		     "<svg class=\"stack\" viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\">");
	for (int phase = 0; phase < TIMELINE_N_PHASES; phase++) {
		if (t->phase_ns[phase] > 0)
			page_add_bar(out, timeline_phase_id((enum timeline_phase)phase), at, at + t->phase_ns[phase],
				     sum);
		at += t->phase_ns[phase];
	}
	g_string_append(out, "</svg>\n<ul class=\"legend\">");
	for (int phase = 0; phase < TIMELINE_N_PHASES; phase++) {
		g_autofree char *time = timeline_duration(t->phase_ns[phase]);
		if (t->phase_ns[phase] > 0)
			html_add(out,
				 "<li><svg viewBox=\"0 0 10 10\" aria-hidden=\"true\"><rect class=\"%s\" width=\"10\" "
				 "height=\"10\"/></svg> "
				 "%s <b>%s</b></li>",
				 timeline_phase_id((enum timeline_phase)phase),
				 timeline_phase_text((enum timeline_phase)phase), time);
	}
	g_string_append(out, "</ul></section>\n");
}

static int compare_lengths(const void *a, const void *b)
{
	const struct timeline_step *x = *(struct timeline_step *const *)a, *y = *(struct timeline_step *const *)b;
	int64_t x_ns = timeline_step_ns(x, 0), y_ns = timeline_step_ns(y, 0);
	return x_ns != y_ns ? (x_ns > y_ns ? -1 : 1) : (x->number > y->number) - (x->number < y->number);
}

/* The length of the shortest step that the list of the critical path shows. */
static int64_t shortest_shown(const timeline *t)
{
	g_autoptr(GPtrArray) sorted = g_ptr_array_copy(t->critical, NULL, NULL);
	g_ptr_array_sort(sorted, compare_lengths);
	int64_t least = (t->end_ns - t->start_ns) / PER_MILLE;
	return sorted->len > CRITICAL_ROWS ? MAX(timeline_step_ns(sorted->pdata[CRITICAL_ROWS - 1], 0), least) : least;
}

static void add_critical(GString *out, const timeline *t)
{
	int64_t least = shortest_shown(t), whole = t->end_ns - t->start_ns, sum = 0;
	unsigned hidden = 0, shown = 0;
	if (t->critical->len == 0)
		return;
	for (guint i = 0; i < t->critical->len; i++)
		sum += timeline_step_ns(t->critical->pdata[i], t->end_ns);
	g_autofree char *time = timeline_duration(sum), *all = timeline_duration(whole);
	html_add(out,
		 "<section aria-labelledby=\"h-critical\"><h2 id=\"h-critical\">Critical path</h2>\n"
		 "<p class=\"note\">The steps that decided when the build ended: %s in these steps, of %s in all.</p>\n"
		 "<ol class=\"critical-list\">\n",
		 time, all);
	for (guint i = 0; i < t->critical->len; i++) {
		const struct timeline_step *s = t->critical->pdata[i];
		int64_t ns = timeline_step_ns(s, t->end_ns), start = timeline_step_start(s) - t->start_ns;
		if (ns < least || shown >= CRITICAL_ROWS) {
			hidden++;
			continue;
		}
		shown++;
		g_autofree char *duration = timeline_duration(ns);
		html_add(out, "<li><a href=\"#step-%u\">%s</a> ", s->number, s->name);
		page_add_state(out, timeline_state_id(timeline_step_state(s)));
		html_add(out,
			 " <b>%s</b><svg viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\">",
			 duration);
		page_add_bar(out, s->cached ? "cache" : "run", start, start + ns, whole);
		g_string_append(out, "</svg></li>\n");
	}
	g_string_append(out, "</ol>\n");
	if (hidden > 0)
		html_add(out, "<p class=\"note\">and %u shorter steps</p>\n", hidden);
	g_string_append(out, "</section>\n");
}

/* ---- the table, for browsers without JavaScript */

static void add_row_bars(GString *out, const timeline *t, const struct timeline_step *s)
{
	int64_t whole = t->end_ns - t->start_ns;
	g_string_append(
		out,
		"<td class=\"chart\"><svg viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\">");
	for (guint i = 0; i < s->spans->len; i++) {
		const struct timeline_span *span = &g_array_index(s->spans, struct timeline_span, i);
		page_add_bar(out,
			     s->error    ? "failed"
			     : s->cached ? "cache"
					 : "run",
			     span->start_ns - t->start_ns, (span->end_ns ? span->end_ns : t->end_ns) - t->start_ns,
			     whole);
	}
	for (guint i = 0; i < s->statuses->len; i++) {
		const struct timeline_status *status = s->statuses->pdata[i];
		int64_t end_ns = status->end_ns ? status->end_ns : status->time_ns;
		if (status->start_ns && status->phase != TIMELINE_RUN)
			page_add_bar(out, timeline_phase_id(status->phase), status->start_ns - t->start_ns,
				     end_ns - t->start_ns, whole);
	}
	g_string_append(out, "</svg></td>");
}

static void add_row(GString *out, const timeline *t, const struct timeline_step *s, const char *base)
{
	int64_t start = timeline_step_start(s);
	g_autofree char *duration = timeline_duration(timeline_step_ns(s, t->end_ns)),
			*begin = timeline_duration(start ? start - t->start_ns : 0);
	html_add(out, "<tr id=\"step-%u\" class=\"%s\"><td class=\"number\">%u</td><th scope=\"row\">%s%s", s->number,
		 s->critical ? "critical" : "", s->number, s->name, s->critical ? " ◆" : "");
	if (s->miss)
		html_add(out, "<div class=\"miss\">cache miss: %s</div>", s->miss);
	if (s->error)
		html_add(out, "<div class=\"error\">%s</div>", s->error);
	g_string_append(out, "</th><td>");
	page_add_state(out, timeline_state_id(timeline_step_state(s)));
	html_add(out, "</td><td class=\"number\">%s</td><td class=\"number\">%s</td>", start ? begin : "–",
		 start ? duration : "–");
	add_row_bars(out, t, s);
	if (s->log->len == 0)
		g_string_append(out, "<td></td></tr>\n");
	else if (base)
		html_add(out, "<td><a href=\"/%s/log/%u\">log</a></td></tr>\n", base, s->number);
	else
		html_add(out, "<td><a href=\"#log-%u\">log</a></td></tr>\n", s->number);
}

static void add_steps(GString *out, const timeline *t, const char *base)
{
	g_string_append(
		out,
		"<section aria-labelledby=\"h-steps\"><h2 id=\"h-steps\">Steps</h2>\n<div id=\"app\"></div>\n"
		"<noscript><div class=\"scroll\"><table class=\"steps\"><thead><tr>"
		"<th scope=\"col\" class=\"number\">#</th><th scope=\"col\">Step</th><th scope=\"col\">Result</th>"
		"<th scope=\"col\" class=\"number\">Start</th><th scope=\"col\" class=\"number\">Duration</th>"
		"<th scope=\"col\" class=\"chart\">Timeline</th><th scope=\"col\">Log</th></tr></thead>\n<tbody>\n");
	for (guint i = 0; i < t->steps->len; i++)
		add_row(out, t, t->steps->pdata[i], base);
	g_string_append(out,
			"</tbody></table></div><p class=\"note\">◆ on the critical path</p></noscript>\n</section>\n");
}

/* ---- the rest */

static void add_warning(GString *out, const struct timeline_step *s, const struct timeline_warning *w)
{
	html_add(out, "<li><p><strong>%s</strong></p>", w->text);
	if (*w->detail)
		html_add(out, "<p>%s</p>", w->detail);
	if (*w->source_name)
		html_add(out, "<p class=\"note\">%s</p>", w->source_name);
	if (*w->excerpt)
		html_add(out, "<pre>%s</pre>", w->excerpt);
	if (g_str_has_prefix(w->url, "https://") || g_str_has_prefix(w->url, "http://"))
		html_add(out, "<p><a rel=\"noopener noreferrer\" href=\"%s\">%s</a></p>", w->url, w->url);
	html_add(out, "<p class=\"note\">Step <a href=\"#step-%u\">%u, %s</a></p></li>\n", s->number, s->number,
		 s->name);
}

static void add_warnings(GString *out, const timeline *t)
{
	if (count_warnings(t) == 0)
		return;
	g_string_append(out, "<section aria-labelledby=\"h-warnings\"><h2 id=\"h-warnings\">Warnings</h2>\n<ul "
			     "class=\"warnings\">\n");
	for (guint i = 0; i < t->steps->len; i++) {
		const struct timeline_step *s = t->steps->pdata[i];
		for (guint k = 0; k < s->warnings->len; k++)
			add_warning(out, s, s->warnings->pdata[k]);
	}
	g_string_append(out, "</ul></section>\n");
}

static void add_facts(GString *out, const timeline *t)
{
	if (t->facts->len == 0)
		return;
	g_string_append(out, "<details class=\"card\"><summary><h2>Request</h2></summary><div class=\"scroll\"><table "
			     "class=\"facts\"><tbody>\n");
	for (guint i = 0; i + 1 < t->facts->len; i += 2)
		html_add(out, "<tr><th scope=\"row\">%s</th><td>%s</td></tr>\n", (const char *)t->facts->pdata[i],
			 (const char *)t->facts->pdata[i + 1]);
	g_string_append(out, "</tbody></table></div></details>\n");
}

static void add_logs(GString *out, const timeline *t)
{
	g_string_append(out, "<section id=\"logs\" aria-labelledby=\"h-logs\"><h2 id=\"h-logs\">Logs</h2>\n");
	for (guint i = 0; i < t->steps->len; i++) {
		const struct timeline_step *s = t->steps->pdata[i];
		g_autofree char *log = timeline_step_log(s);
		if (s->log->len > 0)
			html_add(out, "<details id=\"log-%u\"><summary>%u %s</summary><pre>%s</pre></details>\n",
				 s->number, s->number, s->name, log);
	}
	g_string_append(out, "</section>\n");
}

static void add_head(GString *out, const timeline *t, const struct timeline_page *page, const char *path)
{
	html_add(out, "<header class=\"top\"><h1>%s</h1><p class=\"ref\">build %s", *t->title ? t->title : "Build",
		 t->ref);
	if (t->start_ns) {
		g_string_append(out, " · ");
		page_add_time(out, t->start_ns);
	}
	g_string_append(out, "</p>");
	if (page->is_served)
		html_add(out,
			 "<nav aria-label=\"Pages\"><a href=\"/\">All builds</a><a href=\"/%s/trace.json\" "
			 "download>Trace for Perfetto</a>"
			 "<a href=\"/%s/file.html\" download>This page as a file</a></nav>",
			 path, path);
	g_string_append(out, "</header>\n");
}

char *timeline_page_build(const timeline *t, const struct timeline_page *page)
{
	g_autofree char *title = g_strdup_printf("Build %s", *t->title ? t->title : t->ref),
			*path = timeline_build_path(t->ref);
	GString *out = page_begin(title, page);
	add_head(out, t, page, path);
	if (page->is_served)
		html_add(out, "<main id=\"main\" data-base=\"/%s/\">\n", path);
	else
		g_string_append(out, "<main id=\"main\">\n");
	add_summary(out, t, page);
	if (t->error)
		html_add(out, "<section aria-label=\"Error\"><pre class=\"error\">%s</pre></section>\n", t->error);
	add_phases(out, t);
	add_critical(out, t);
	add_steps(out, t, page->is_served ? path : NULL);
	add_warnings(out, t);
	g_string_append(out, "<details class=\"card\"><summary><h2>Graph</h2></summary>\n");
	timeline_graph_write(out, t);
	g_string_append(out, "</details>\n");
	add_facts(out, t);
	if (!page->is_served)
		add_logs(out, t);
	g_string_append(out, "</main>\n");
	g_autofree char *json = timeline_json(t, 0, page->now_ns, page->is_live && page->is_served);
	return page_end(out, json);
}
