/* SPDX-License-Identifier: Apache-2.0 */
/* Expands the templates of Go's regexp.Expand. */
#include "format/go_regex.h"
#include <string.h>

/* Parses "$name" or "${name}"; NULL: a literal dollar. ret_end: behind it. */
static char *read_name(const char *dollar, const char **ret_end)
{
	const char *start = dollar + 1;
	bool braces = *start == '{';
	start += braces;
	const char *end = start;
	for (gunichar c; (c = g_utf8_get_char(end)) == '_' || g_unichar_isalnum(c);)
		end = g_utf8_next_char(end);
	if (end == start || (braces && *end != '}'))
		return NULL;
	*ret_end = end + braces;
	return g_strndup(start, (gsize)(end - start));
}

/* Returns a group number; -1: a name, also with leading zeros. */
static int group_number(const char *name)
{
	size_t n = strlen(name);
	if (n > 8 || strspn(name, "0123456789") != n || (name[0] == '0' && n > 1))
		return -1;
	return (int)g_ascii_strtoull(name, NULL, 10);
}

bool template_expand(const char *template, template_find find, void *data, size_t max, GString *out)
{
	for (const char *p = template; *p && out->len <= max;) {
		size_t plain = strcspn(p, "$");
		g_string_append_len(out, p, (gssize)plain);
		p += plain;
		if (!*p)
			break;
		const char *end = p + 1;
		g_autofree char *name = p[1] == '$' ? NULL : read_name(p, &end);
		const char *text;
		size_t n;
		if (!name)
			g_string_append_c(out, '$');
		else if (find(data, name, group_number(name), &text, &n))
			g_string_append_len(out, text, (gssize)n);
		p = p[1] == '$' ? p + 2 : end;
	}
	return out->len <= max;
}
