/* SPDX-License-Identifier: Apache-2.0 */
#include "format/gorune.h"
#include <stdbool.h>
#include <string.h>

size_t rune_decode(const char *p, const char *end, gunichar *ret_rune)
{
	unsigned char first = (unsigned char)*p;
	if (first < 0x80) {
		*ret_rune = first;
		return 1;
	}
	gunichar rune = g_utf8_get_char_validated(p, end - p);
	if (rune >= (gunichar)-2) {
		*ret_rune = RUNE_ERROR;
		return 1;
	}
	*ret_rune = rune;
	return (size_t)g_unichar_to_utf8(rune, NULL);
}

/* unicode.IsSpace */
static bool is_space(gunichar rune)
{
	switch (rune) {
	case '\t':
	case '\n':
	case '\v':
	case '\f':
	case '\r':
	case ' ':
	case 0x85:
	case 0xA0:
	case 0x1680:
	case 0x2028:
	case 0x2029:
	case 0x202F:
	case 0x205F:
	case 0x3000:
		return true;
	default:
		return rune >= 0x2000 && rune <= 0x200A;
	}
}

char *text_trim_space(const char *text)
{
	const char *end = text + strlen(text), *first = NULL, *last = text;
	for (const char *p = text; p < end;) {
		gunichar rune;
		size_t width = rune_decode(p, end, &rune);
		if (!is_space(rune)) {
			if (!first)
				first = p;
			last = p + width;
		}
		p += width;
	}
	return first ? g_strndup(first, (gsize)(last - first)) : g_strdup("");
}

char *text_clean_path(const char *path)
{
	bool rooted = path[0] == '/';
	g_autoptr(GString) out = g_string_new(rooted ? "/" : "");
	size_t floor = out->len; /* ".." never takes away what is before this */
	for (const char *p = path; *p;) {
		size_t n = strcspn(p, "/");
		if (n == 2 && p[0] == '.' && p[1] == '.') {
			if (out->len > floor) {
				size_t cut = out->len;
				while (cut > floor && out->str[cut - 1] != '/')
					cut--;
				g_string_truncate(out, cut > floor ? cut - 1 : cut);
			} else if (!rooted) {
				g_string_append(out, out->len > 0 ? "/.." : "..");
				floor = out->len;
			}
		} else if (n > 0 && !(n == 1 && p[0] == '.')) {
			if (out->len > (rooted ? 1 : 0))
				g_string_append_c(out, '/');
			g_string_append_len(out, p, (gssize)n);
		}
		p += n;
		p += strspn(p, "/");
	}
	if (out->len == 0)
		g_string_append_c(out, '.');
	return g_string_free(g_steal_pointer(&out), FALSE);
}
