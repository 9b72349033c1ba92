/* SPDX-License-Identifier: Apache-2.0 */
#include "timeline/page_internal.h"
#include "base/time.h"
#include "timeline/assets.h"
#include <string.h>

/* The hash of a style or script in a content security policy. */
static char *source_hash(const char *text)
{
	guint8 bytes[32];
	gsize n = sizeof bytes;
	g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
	g_checksum_update(sum, (const guchar *)text, (gssize)strlen(text));
	g_checksum_get_digest(sum, bytes, &n);
	g_autofree char *base64 = g_base64_encode(bytes, n);
	return g_strdup_printf("'sha256-%s'", base64);
}

char *timeline_policy(bool is_served)
{
	g_autofree char *style = source_hash(timeline_css), *script = source_hash(timeline_js);
	return g_strdup_printf(
		"default-src 'none'; style-src %s; script-src %s; img-src data:; base-uri 'none'; %s", style, script,
		is_served ? "connect-src 'self'; form-action 'self'; frame-ancestors 'none'" : "form-action 'none'");
}

GString *page_begin(const char *title, const struct timeline_page *page)
{
	GString *out = g_string_new(NULL);
	g_autofree char *policy = timeline_policy(page->is_served);
	g_string_append(out, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
	if (!page->is_served)
		html_add(out, "<meta http-equiv=\"Content-Security-Policy\" content=\"%s\">\n", policy);
	html_add(out,
		 "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		 "<meta name=\"referrer\" content=\"no-referrer\">\n<link rel=\"icon\" "
		 "href=\"data:,\">\n<title>%s</title>\n",
		 title);
	g_string_append_printf(out, "<style>%s</style>\n</head>\n<body>\n", timeline_css);
	g_string_append(out, "<a class=\"skip\" href=\"#main\">Skip to the content</a>\n");
	return out;
}

char *page_end(GString *out, const char *json)
{
	if (json)
		g_string_append_printf(out, "<script type=\"application/json\" id=\"data\">%s</script>\n", json);
	g_string_append_printf(out, "<script>%s</script>\n</body>\n</html>\n", timeline_js);
	return g_string_free(out, FALSE);
}

void page_add_time(GString *out, int64_t ns)
{
	g_autoptr(GDateTime) t = g_date_time_new_from_unix_utc(ns / NS_PER_S);
	g_autofree char *iso = t ? g_date_time_format(t, "%Y-%m-%dT%H:%M:%SZ") : g_strdup("");
	g_autofree char *text = t ? g_date_time_format(t, "%Y-%m-%d %H:%M:%S UTC") : g_strdup("");
	html_add(out, "<time datetime=\"%s\">%s</time>", iso, text);
}

void page_add_state(GString *out, const char *state)
{
	html_add(out, "<span class=\"state %s\">%s</span>", state, state);
}

void page_add_bar(GString *out, const char *class, int64_t start, int64_t end, int64_t whole)
{
	double unit = 1000.0 / (double)MAX(whole, 1);
	g_string_append_printf(out, "<rect class=\"%s\" x=\"%.1f\" width=\"%.1f\" height=\"10\"/>", class,
			       (double)start * unit, MAX((double)(end - start) * unit, 2));
}

const char *page_build_state(const timeline *t, const struct timeline_page *page)
{
	if (page->is_live && !t->completed_ns)
		return "running";
	if (!t->error)
		return t->n[TIMELINE_FAILED] > 0 && !t->completed_ns ? "failed" : "done";
	return strstr(t->error, "context canceled") ? "canceled" : "failed";
}

char *timeline_build_path(const char *ref)
{
	g_autofree char *escaped = g_uri_escape_string(ref, NULL, FALSE);
	return g_strconcat("builds/", escaped, NULL);
}

char *timeline_step_log(const struct timeline_step *s)
{
	if (s->log_left_out == 0)
		return g_strdup(s->log->str);
	return g_strdup_printf("%s\n(%zu bytes more are not shown)\n", s->log->str, s->log_left_out);
}

/* ---- the list */

static void add_entry(GString *out, const struct timeline_entry *e, int64_t now_ns)
{
	g_autofree char *path = timeline_build_path(e->ref), *ref = timeline_safe_text(e->ref),
			*title = timeline_safe_text(e->title);
	bool running = !e->completed_ns;
	int64_t ns = (running ? now_ns : e->completed_ns) - e->created_ns;
	g_autofree char *time = timeline_duration(MAX(ns, 0));
	html_add(out, "<tr><td><a href=\"/%s\">%s</a><div class=\"ref\">%s%s%s</div></td><td>", path,
		 *title ? title : ref, *title ? ref : "", *title && e->is_pinned ? " · " : "",
		 e->is_pinned ? "pinned" : "");
	page_add_state(out, running                                ? "running"
			    : !e->error                            ? "done"
			    : strstr(e->error, "context canceled") ? "canceled"
								   : "failed");
	g_string_append(out, "</td><td>");
	page_add_time(out, e->created_ns);
	html_add(out, "</td><td class=\"number\">%s</td>", time);
	if (running)
		g_string_append(out, "<td class=\"number\">–</td><td class=\"number\">–</td>");
	else
		html_add(out, "<td class=\"number\">%d of %d</td><td class=\"number\">%d</td>", e->n_cached, e->n_steps,
			 e->n_warnings);
	html_add(out,
		 "<td class=\"pick\"><input type=\"radio\" name=\"a\" value=\"%s\" aria-label=\"First build of the "
		 "comparison: %s\">"
		 "<input type=\"radio\" name=\"b\" value=\"%s\" aria-label=\"Second build of the comparison: "
		 "%s\"></td></tr>\n",
		 e->ref, ref, e->ref, ref);
}

char *timeline_page_list(const struct timeline_entry *entries, size_t n, const struct timeline_page *page)
{
	GString *out = page_begin("Builds", page);
	g_string_append(out, "<header class=\"top\"><h1>Builds</h1></header>\n<main id=\"main\">\n");
	if (n == 0)
		g_string_append(out, "<p class=\"empty\">No build was recorded yet.</p>\n");
	g_string_append(
		out, "<form action=\"/compare\" method=\"get\">\n<div class=\"toolbar\" id=\"list-tools\">"
		     "<label class=\"search\" hidden>Search <input type=\"search\" id=\"list-search\"></label>"
		     "<button type=\"submit\">Compare the two selected builds</button></div>\n"
		     "<div class=\"scroll\"><table id=\"builds\" class=\"list\"><thead><tr><th scope=\"col\">Build</th>"
		     "<th scope=\"col\">Result</th><th scope=\"col\">Started</th>"
		     "<th scope=\"col\" class=\"number\">Duration</th>"
		     "<th scope=\"col\" class=\"number\">Cached steps</th>"
		     "<th scope=\"col\" class=\"number\">Warnings</th><th "
		     "scope=\"col\">Compare</th></tr></thead>\n<tbody>\n");
	for (size_t i = 0; i < n; i++)
		add_entry(out, &entries[i], page->now_ns);
	g_string_append(out, "</tbody></table></div></form>\n</main>\n");
	return page_end(out, NULL);
}

char *timeline_page_message(const char *title, const char *text, bool ask_token)
{
	struct timeline_page page = {.is_served = true};
	GString *out = page_begin(title, &page);
	html_add(out, "<header class=\"top\"><h1>%s</h1></header>\n<main id=\"main\"><p>%s</p>\n", title, text);
	if (ask_token)
		g_string_append(out, "<form action=\"/login\" method=\"post\" class=\"toolbar\"><label>Token "
				     "<input type=\"password\" name=\"token\" autocomplete=\"off\" required></label>"
				     "<button type=\"submit\">Show the builds</button></form>\n");
	else
		g_string_append(out, "<p><a href=\"/\">All builds</a></p>\n");
	g_string_append(out, "</main>\n");
	return page_end(out, NULL);
}
