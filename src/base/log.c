/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "base/limits.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static gint current_level = LOG_LEVEL_INFO;   /* atomic */
static gint current_format = LOG_FORMAT_TEXT; /* atomic */

void log_setup(enum log_level level, enum log_format format)
{
	g_atomic_int_set(&current_level, (gint)level);
	g_atomic_int_set(&current_format, (gint)format);
}

bool log_is_enabled(enum log_level level)
{
	return (gint)level <= g_atomic_int_get(&current_level);
}

static const char *level_name(enum log_level level)
{
	static const char *const names[] = {"error", "warning", "info", "debug", "trace"};
	return names[level];
}

#define CUT_MARK "... (cut)"

/*
 * Length at which a text of more than max bytes is cut without splitting a character. Leaves space for the truncation
 * mark.
 */
static size_t cut_at(const char *text, size_t max)
{
	size_t at = max - sizeof(CUT_MARK);
	while (at > 0 && ((unsigned char)text[at] & 0xc0) == 0x80)
		at--;
	return at;
}

/* Both logrus formats quote like this; control bytes never reach a terminal or fake a log line. */
static void append_quoted(GString *line, const char *text)
{
	g_string_append_c(line, '"');
	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		if (*p == '"' || *p == '\\')
			g_string_append_printf(line, "\\%c", *p);
		else if (*p == '\n')
			g_string_append(line, "\\n");
		else if (*p == '\t')
			g_string_append(line, "\\t");
		else if (*p < 0x20 || *p == 0x7f)
			g_string_append_printf(line, "\\u%04x", *p);
		else
			g_string_append_c(line, (char)*p);
	}
	g_string_append_c(line, '"');
}

void log_write(enum log_level level, const char *format, ...)
{
	if (!log_is_enabled(level))
		return;
	va_list args;
	va_start(args, format);
	g_autofree char *text = g_strdup_vprintf(format, args);
	va_end(args);
	g_autoptr(GDateTime) now = g_date_time_new_now_utc();
	g_autofree char *time = g_date_time_format(now, "%Y-%m-%dT%H:%M:%SZ");
	g_autoptr(GString) line = g_string_new(NULL);
	bool json = g_atomic_int_get(&current_format) == LOG_FORMAT_JSON;
	if (json)
		g_string_append_printf(line, "{\"level\":\"%s\",\"msg\":", level_name(level));
	else
		g_string_append_printf(line, "time=\"%s\" level=%s msg=", time, level_name(level));
	if (strlen(text) > (size_t)LIMIT_LOG_LINE_BYTES)
		g_strlcpy(text + cut_at(text, (size_t)LIMIT_LOG_LINE_BYTES), CUT_MARK, sizeof(CUT_MARK));
	append_quoted(line, text);
	if (json)
		g_string_append_printf(line, ",\"time\":\"%s\"}", time);
	g_string_append_c(line, '\n');
	/* One write per line, so that lines of several threads are not mixed. */
	ssize_t written = write(STDERR_FILENO, line->str, line->len);
	(void)written;
}
