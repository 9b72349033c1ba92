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
