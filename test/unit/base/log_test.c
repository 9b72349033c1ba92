/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "base/limits.h"
#include "lib/outcome.h"
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* What the daemon writes for one message of this text; g_free. */
static char *line_of(enum log_format format, const char *text)
{
	g_autofree char *path = NULL;
	char *line = NULL;
	int file = g_file_open_tmp("log-XXXXXX", &path, NULL), saved = dup(STDERR_FILENO);
	g_assert_cmpint(file, >=, 0);
	log_setup(LOG_LEVEL_INFO, format);
	dup2(file, STDERR_FILENO);
	log_info("%s", text);
	dup2(saved, STDERR_FILENO);
	assert_succeeds(g_file_get_contents(path, &line, NULL, &failure));
	unlink(path);
	close(saved);
	close(file);
	return line;
}

static void check_cut(enum log_format format, const char *text)
{
	g_autofree char *line = line_of(format, text);
	size_t n = strlen(line);
	g_assert_true(g_utf8_validate(line, -1, NULL));
	g_assert_nonnull(strstr(line, "... (cut)\""));
	g_assert_cmpuint(n, <=, LIMIT_LOG_LINE_BYTES + 128);
	g_assert_cmpuint(n, >, LIMIT_LOG_LINE_BYTES - 128);
	g_assert_true(strchr(line, '\n') == line + n - 1);
}

static void test_long_lines_are_cut(void)
{
	g_autofree char *letters = g_strnfill((gsize)LIMIT_LOG_LINE_BYTES * 3, 'x');
	check_cut(LOG_FORMAT_TEXT, letters);
	check_cut(LOG_FORMAT_JSON, letters);
	/* Characters of several bytes are not split, wherever the limit falls. */
	for (gsize shift = 0; shift < 3; shift++) {
		GString *euros = g_string_new_len("xx", (gssize)shift);
		while (euros->len < (gsize)LIMIT_LOG_LINE_BYTES * 2)
			g_string_append(euros, "\xe2\x82\xac");
		check_cut(LOG_FORMAT_TEXT, euros->str);
		check_cut(LOG_FORMAT_JSON, euros->str);
		g_string_free(euros, TRUE);
	}
}

static void test_lines_at_the_limit_are_whole(void)
{
	g_autofree char *text = g_strnfill((gsize)LIMIT_LOG_LINE_BYTES, 'x');
	g_autofree char *line = line_of(LOG_FORMAT_TEXT, text);
	g_assert_nonnull(strstr(line, text));
	g_assert_null(strstr(line, "(cut)"));
}

static void test_line_breaks_are_escaped(void)
{
	g_autofree char *line = line_of(LOG_FORMAT_TEXT, "one\ntwo\x1b[31m");
	g_assert_nonnull(strstr(line, "msg=\"one\\ntwo\\u001b[31m\"\n"));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/log/long-lines-are-cut", test_long_lines_are_cut);
	g_test_add_func("/log/lines-at-the-limit-are-whole", test_lines_at_the_limit_are_whole);
	g_test_add_func("/log/line-breaks-are-escaped", test_line_breaks_are_escaped);
	return g_test_run();
}
