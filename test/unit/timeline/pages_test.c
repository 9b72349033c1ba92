/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Golden tests of the pages and documents of the timeline: test/golden/timeline. GOLDEN_UPDATE=1 writes the expected
 * files. Style and script are left out of the pages.
 */
#include "format/json_writer.h"
#include "lib/outcome.h"
#include "lib/status_maker.h"
#include "timeline/assets.h"
#include "timeline/data.h"
#include "timeline/page.h"
#include <string.h>

#define HOSTILE "</script><script>alert(1)</script><img src=x onerror=alert(2)>\" onfocus='x' &amp;"

static void compare(const char *name, const char *got)
{
	g_autofree char *here = g_path_get_dirname(__FILE__);
	g_autofree char *path = g_build_filename(here, "../../golden/timeline", name, NULL), *want = NULL;
	if (g_getenv("GOLDEN_UPDATE"))
		assert_succeeds(g_file_set_contents(path, got, -1, &failure));
	assert_succeeds(g_file_get_contents(path, &want, NULL, &failure));
	if (strcmp(got, want) != 0)
		g_test_message("%s is:\n%s", path, got);
	g_assert_cmpstr(got, ==, want);
}

static char *remove_once(const char *text, const char *part)
{
	const char *at = strstr(text, part);
	g_assert_nonnull(at);
	g_assert_null(strstr(at + 1, part));
	return g_strdup_printf("%.*s%s", (int)(at - text), text, at + strlen(part));
}

/* The policy contains digests of style and script. */
static void compare_page(const char *name, const char *html)
{
	g_autofree char *policy = timeline_policy(false), *escaped = g_markup_escape_text(policy, -1);
	g_autofree char *first = remove_once(html, timeline_css), *second = remove_once(first, timeline_js);
	g_autofree char *third = strstr(second, escaped) ? remove_once(second, escaped) : g_strdup(second);
	compare(name, third);
}

/* Each kind of step, with hostile texts. */
static timeline *make_build(void)
{
	timeline *t = timeline_new("ref<1>", NULL);
	g_free(t->title);
	t->title = timeline_safe_text("main · " HOSTILE);
	t->created_ns = STATUS_NS(0);
	status_vertex(t, "sha256:1", "[internal] load build definition from Dockerfile", "", 10, 40, false, NULL);
	status_status(t, "sha256:1", "transferring dockerfile:", 120, 120, 11, 39);
	status_warning(t, "sha256:1", "Bad: " HOSTILE " (line 3)", "one\ntwo\n" HOSTILE "\nfour\nfive\nsix\nseven\n",
		       3);
	status_vertex(t, "sha256:2", "[1/3] FROM docker.io/library/busybox", "", 50, 1250, false, NULL);
	status_status(t, "sha256:2", "resolve docker.io/library/busybox", 0, 0, 50, 300);
	status_status(t, "sha256:2", "sha256:aa", 2000000, 2000000, 300, 1000);
	status_status(t, "sha256:2", "extracting sha256:aa", 0, 0, 1000, 1250);
	status_vertex(t, "sha256:3", "[2/3] COPY . /src", "sha256:2", 1300, 1300, true, NULL);
	status_vertex(t, "sha256:4", "[3/3] RUN " HOSTILE, "sha256:3 sha256:missing", 1350, 4000, false,
		      "process did not complete: " HOSTILE);
	status_status(t, "sha256:4", "cache miss: " HOSTILE, 0, 0, 1350, 1350);
	status_log(t, "sha256:4", 1400, "compiling\n" HOSTILE "\n");
	status_vertex(t, "sha256:5", "exporting to image", "sha256:4", -1, -1, false, NULL);
	t->completed_ns = STATUS_NS(4100);
	t->error = g_strdup("failed to solve: " HOSTILE);
	timeline_analyze(t, STATUS_NS(5000));
	return t;
}

static void test_data(void)
{
	g_autoptr(timeline) t = make_build();
	g_autofree char *json = timeline_json(t, 0, STATUS_NS(5000), false);
	g_assert_null(strchr(json, '<'));
	compare("data.json", json);
	g_autoptr(json_t) parsed = json_loads(json, 0, NULL);
	g_assert_cmpuint(json_array_size(json_object_get(parsed, "steps")), ==, 5);
	/* Only what changed after a version. */
	uint64_t version = t->version;
	status_log(t, "sha256:4", 1400, "more\n");
	g_autofree char *later = timeline_json(t, version, STATUS_NS(5000), true);
	g_autoptr(json_t) changed = json_loads(later, 0, NULL);
	g_assert_cmpuint(json_array_size(json_object_get(changed, "steps")), ==, 1);
	g_assert_true(json_is_true(json_object_get(changed, "live")));
}

static void test_trace(void)
{
	g_autoptr(timeline) t = make_build();
	g_autofree char *json = timeline_chrome_trace(t);
	compare("trace.json", json);
	g_autoptr(json_t) parsed = json_loads(json, 0, NULL);
	g_assert_cmpuint(json_array_size(json_object_get(parsed, "traceEvents")), >, 5);
}

/* A text of the build is never markup: the page has its elements only. */
static void assert_no_markup(const char *html)
{
	g_assert_null(strstr(html, "<script>alert"));
	g_assert_null(strstr(html, "<img"));
	const char *data = strstr(html, "<script type=");
	g_autofree char *markup = g_strndup(html, data ? (size_t)(data - html) : strlen(html));
	g_assert_null(strstr(markup, "\" onfocus"));
	g_assert_null(strstr(html, "href=\"javascript:"));
}

static void test_build(void)
{
	g_autoptr(timeline) t = make_build();
	g_autofree char *file = timeline_page_build(t, &(struct timeline_page){.now_ns = STATUS_NS(5000)});
	assert_no_markup(file);
	compare_page("build.html", file);
	g_autofree char *served = timeline_page_build(
		t, &(struct timeline_page){
			   .now_ns = STATUS_NS(5000), .is_served = true, .is_live = true, .notice = HOSTILE});
	assert_no_markup(served);
	compare_page("served.html", served);
}

static void test_list(void)
{
	const struct timeline_entry entries[] = {
		{.ref = "running", .title = "", .created_ns = STATUS_NS(0)},
		{.ref = HOSTILE,
		 .title = HOSTILE,
		 .error = HOSTILE,
		 .created_ns = STATUS_NS(0),
		 .completed_ns = STATUS_NS(1500),
		 .n_steps = 9,
		 .n_cached = 2,
		 .n_warnings = 1,
		 .is_pinned = true},
	};
	const struct timeline_page page = {.now_ns = STATUS_NS(61000), .is_served = true};
	g_autofree char *html = timeline_page_list(entries, G_N_ELEMENTS(entries), &page);
	assert_no_markup(html);
	compare_page("list.html", html);
	g_autofree char *none = timeline_page_list(NULL, 0, &page);
	g_assert_nonnull(strstr(none, "No build was recorded yet."));
}

static void test_compare(void)
{
	g_autoptr(timeline) a = make_build(), b = make_build();
	status_vertex(b, "sha256:6", "only in b", "", 4000, 4050, false, NULL);
	status_vertex(b, "sha256:3", "", "sha256:2", 2300, 3300, false, NULL);
	timeline_analyze(b, STATUS_NS(5000));
	g_autofree char *html = timeline_page_compare(a, b, &(struct timeline_page){.now_ns = STATUS_NS(5000)});
	assert_no_markup(html);
	compare_page("compare.html", html);
}

static void test_message(void)
{
	g_autofree char *html = timeline_page_message(HOSTILE, HOSTILE, true);
	assert_no_markup(html);
	g_assert_nonnull(strstr(html, "name=\"token\""));
}

/* Of a large build, the graph shows a part. */
static void test_large(void)
{
	g_autoptr(timeline) t = timeline_new("large", NULL);
	for (int i = 0; i < 400; i++) {
		g_autofree char *digest = g_strdup_printf("d%d", i), *inputs = g_strdup_printf("d%d", i - 1);
		status_vertex(t, digest, digest, i ? inputs : "", i * 10, i * 10 + 9, false, NULL);
	}
	timeline_analyze(t, STATUS_NS(4000));
	g_assert_cmpuint(t->critical->len, ==, 400);
	g_autofree char *html = timeline_page_build(t, &(struct timeline_page){.now_ns = STATUS_NS(4000)});
	g_assert_nonnull(strstr(html, "150 of 400 steps: the critical path and its inputs."));
	g_assert_nonnull(strstr(html, "and 388 shorter steps"));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/pages/data", test_data);
	g_test_add_func("/pages/trace", test_trace);
	g_test_add_func("/pages/build", test_build);
	g_test_add_func("/pages/list", test_list);
	g_test_add_func("/pages/compare", test_compare);
	g_test_add_func("/pages/message", test_message);
	g_test_add_func("/pages/large", test_large);
	return g_test_run();
}
