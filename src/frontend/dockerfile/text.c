/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/dockerfile/text.h"
#include "base/path_text.h"
#include "format/gotype.h"
#include <string.h>

gunichar text_rune(const char *p, const char *end, size_t *ret_n)
{
	unsigned char first = (unsigned char)*p;
	if (first < 0x80) {
		*ret_n = 1;
		return first;
	}
	gunichar c = g_utf8_get_char_validated(p, end - p);
	if (c == (gunichar)-1 || c == (gunichar)-2) {
		*ret_n = 1;
		return 0xFFFD;
	}
	*ret_n = (size_t)g_utf8_skip[first];
	return c;
}

void text_append_rune(GString *s, gunichar c)
{
	if (c < 0x80)
		g_string_append_c(s, (char)c);
	else
		g_string_append_unichar(s, c);
}

bool text_is_space(gunichar c)
{
	if (c < 0x80)
		return c == ' ' || (c >= '\t' && c <= '\r');
	return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 ||
	       c == 0x202F || c == 0x205F || c == 0x3000;
}

const char *text_skip_space(const char *p, const char *end)
{
	while (p < end) {
		size_t n;
		if (!text_is_space(text_rune(p, end, &n)))
			break;
		p += n;
	}
	return p;
}

bool text_is_lower(const char *text)
{
	for (; *text; text++)
		if (g_ascii_isupper(*text))
			return false;
	return true;
}

bool text_is_upper(const char *text)
{
	for (; *text; text++)
		if (g_ascii_islower(*text))
			return false;
	return true;
}

const char *text_quote(arena *a, const char *text)
{
	return arena_take(a, go_quote(text));
}

static const char *text_trim_right(const char *p, const char *end)
{
	while (end > p) {
		const char *last = end - 1;
		while (last > p && end - last < 4 && ((unsigned char)*last & 0xC0) == 0x80)
			last--;
		size_t n;
		if (!text_is_space(text_rune(last, end, &n)) || last + n != end)
			break;
		end = last;
	}
	return end;
}

char *text_trim(arena *a, const char *text)
{
	const char *end = text + strlen(text);
	const char *p = text_skip_space(text, end);
	end = text_trim_right(p, end);
	return arena_strndup(a, p, (size_t)(end - p));
}

char *text_path_clean(arena *a, const char *path)
{
	return arena_take(a, path_clean(path));
}

char *text_path_rooted(arena *a, const char *path)
{
	return text_path_clean(a, arena_printf(a, "/%s", path));
}

const char *text_path_base(arena *a, const char *path)
{
	if (!*path)
		return ".";
	size_t n = strlen(path);
	while (n && path[n - 1] == '/')
		n--;
	if (!n)
		return "/";
	size_t start = n;
	while (start && path[start - 1] != '/')
		start--;
	return arena_strndup(a, path + start, n - start);
}

static const char *text_map(arena *a, const char *text, gunichar (*map)(gunichar))
{
	g_autoptr(GString) s = g_string_sized_new(strlen(text));
	const char *end = text + strlen(text);
	for (const char *p = text; p < end;) {
		size_t n;
		text_append_rune(s, map(text_rune(p, end, &n)));
		p += n;
	}
	return arena_strndup(a, s->str, s->len);
}

const char *text_upper(arena *a, const char *text)
{
	return text_map(a, text, g_unichar_toupper);
}

const char *text_lower(arena *a, const char *text)
{
	return text_map(a, text, g_unichar_tolower);
}

bool text_equal_fold(const char *a, const char *b)
{
	return g_ascii_strcasecmp(a, b) == 0;
}

const char *text_valid(arena *a, const char *text)
{
	return g_utf8_validate(text, -1, NULL) ? text : arena_take(a, g_utf8_make_valid(text, -1));
}
