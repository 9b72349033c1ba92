/* SPDX-License-Identifier: Apache-2.0 */
#include "timeline/text.h"
#include "base/time.h"
#include <string.h>

static bool is_mark(gunichar c)
{
	return (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0x200e || c == 0x200f ||
	       c == 0x061c;
}

void timeline_text_append(GString *out, const char *text, size_t n, bool lines)
{
	g_autofree char *valid = g_utf8_make_valid(text, (gssize)n);
	for (const char *p = valid; *p; p = g_utf8_next_char(p)) {
		gunichar c = g_utf8_get_char(p);
		if (c == '\n' || c == '\t')
			g_string_append_c(out, c == '\n' && lines ? '\n' : ' ');
		else if (c < 0x20 || c == 0x7f) /* the pictures of Unicode's block Control Pictures */
			g_string_append_unichar(out, c == 0x7f ? 0x2421 : 0x2400 + c);
		else if ((c >= 0x80 && c < 0xa0) || is_mark(c))
			g_string_append_printf(out, "\\u%04x", c);
		else
			g_string_append_unichar(out, c);
	}
}

char *timeline_safe_text(const char *text)
{
	GString *out = g_string_new(NULL);
	timeline_text_append(out, text ? text : "", text ? strlen(text) : 0, false);
	return g_string_free(out, FALSE);
}

char *timeline_text_lines(const char *text, size_t n)
{
	GString *out = g_string_new(NULL);
	timeline_text_append(out, n > 0 ? text : "", n, true);
	return g_string_free(out, FALSE);
}

size_t timeline_text_escape(const char *p, size_t n)
{
	size_t i = 2;
	if (n < 2 || p[0] != 0x1b || p[1] != '[')
		return 0;
	while (i < n && ((p[i] >= '0' && p[i] <= '9') || p[i] == ';' || p[i] == ':' || p[i] == '?'))
		i++;
	return i < n && g_ascii_isalpha(p[i]) ? i + 1 : 0;
}

char *timeline_duration(int64_t ns)
{
	double s = (double)ns / NS_PER_S;
	int64_t whole = ns / NS_PER_S;
	if (ns < NS_PER_S)
		return g_strdup_printf("%d ms", (int)(ns / 1000000));
	if (whole < 60)
		return g_strdup_printf(whole < 10 ? "%.2f s" : "%.1f s", s);
	if (whole < 3600)
		return g_strdup_printf("%d min %d s", (int)(whole / 60), (int)(whole % 60));
	return g_strdup_printf("%" G_GINT64_FORMAT " h %d min", whole / 3600, (int)(whole / 60 % 60));
}
