/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/metrics.h"
#include <string.h>

#define MS 1000000LL

static char *text_of(build_metrics *m)
{
	GString *out = g_string_new(NULL);
	build_metrics_write(m, out);
	return g_string_free(out, FALSE);
}

static void assert_line(const char *text, const char *line)
{
	g_autofree char *whole = g_strconcat("\n", line, "\n", NULL);
	if (!strstr(text, whole))
		g_error("no line \"%s\" in\n%s", line, text);
}

static void test_builds(void)
{
	build_metrics *m = build_metrics_new();
	g_autofree char *empty = text_of(m);
	assert_line(empty, "buildkit_builds_total{status=\"success\"} 0");
	g_assert_null(strstr(empty, "_bucket"));
	struct progress_counts counts = {.total = 5, .completed = 4, .cached = 3, .warnings = 2};
	build_metrics_note(m, NULL, &counts, 2500 * MS);
	build_metrics_note(m, NULL, &counts, 5000 * MS);
	build_metrics_note(m, NULL, &counts, 20000000 * MS);
	g_autoptr(GError) error = NULL;
	error_set(&error, ERROR_NOT_FOUND, "gone");
	build_metrics_note(m, error, &counts, 0);
	g_autofree char *text = text_of(m);
	static const char *const lines[] = {
		"buildkit_builds_total{status=\"success\"} 3",
		"buildkit_builds_total{status=\"failure\",error_code=\"NotFound\"} 1",
		"buildkit_builds_steps_total{kind=\"completed\"} 16",
		"buildkit_builds_steps_total{kind=\"cached\"} 12",
		"buildkit_builds_steps_total{kind=\"total\"} 20",
		"buildkit_builds_steps_total{kind=\"warnings\"} 8",
		"# TYPE buildkit_build_duration_seconds histogram",
		"buildkit_build_duration_seconds_bucket{status=\"success\",le=\"0\"} 0",
		"buildkit_build_duration_seconds_bucket{status=\"success\",le=\"5\"} 2",
		"buildkit_build_duration_seconds_bucket{status=\"success\",le=\"10000\"} 2",
		"buildkit_build_duration_seconds_bucket{status=\"success\",le=\"+Inf\"} 3",
		"buildkit_build_duration_seconds_sum{status=\"success\"} 20007.5",
		"buildkit_build_duration_seconds_count{status=\"success\"} 3",
		"buildkit_build_duration_seconds_bucket{status=\"failure\",le=\"0\"} 1",
	};
	for (size_t i = 0; i < G_N_ELEMENTS(lines); i++)
		assert_line(text, lines[i]);
	build_metrics_free(m);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/metrics/builds", test_builds);
	return g_test_run();
}
