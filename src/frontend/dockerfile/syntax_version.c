/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/dockerfile/syntax_version.h"
#include "base/version.h"
#include <glib.h>
#include <string.h>

#define PARTS 3

/* Parses "1", "1.4" or "1.4.2"; returns how many numbers there are, 0 if it is not a version. */
static int version_parse(const char *text, int64_t ret[PARTS])
{
	int n = 0;
	for (;;) {
		size_t digits = strspn(text, "0123456789");
		if (digits == 0 || digits > 9)
			return 0;
		ret[n++] = g_ascii_strtoll(text, NULL, 10);
		text += digits;
		if (!*text)
			return n;
		if (*text++ != '.' || n == PARTS)
			return 0;
	}
}

/* Compares the numbers that both have: "1" is neither before nor after "1.26.0". */
static int version_compare(const char *a, const char *b)
{
	int64_t x[PARTS] = {0}, y[PARTS] = {0};
	int n_x = version_parse(a, x), n_y = version_parse(b, y);
	for (int i = 0; i < MIN(n_x, n_y); i++)
		if (x[i] != y[i])
			return x[i] < y[i] ? -1 : 1;
	return 0;
}

bool syntax_version_is_labs(const char *tag)
{
	return tag && (strcmp(tag, "labs") == 0 || g_str_has_suffix(tag, "-labs"));
}

bool syntax_version_is_complete(const char *tag)
{
	int64_t parts[PARTS];
	if (!tag || strcmp(tag, "latest") == 0 || strcmp(tag, "labs") == 0)
		return true;
	g_autofree char *version = g_strndup(tag, strlen(tag) - (syntax_version_is_labs(tag) ? strlen("-labs") : 0));
	return version_parse(version, parts) > 0 && version_compare(version, DOCKERFILE_VERSION) <= 0;
}
