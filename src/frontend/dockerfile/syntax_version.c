/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/dockerfile/syntax_version.h"
#include "base/version.h"
#include "format/reference.h"
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

static bool is_newer(const int64_t asked[PARTS], int n_asked)
{
	int64_t ours[PARTS] = {0};
	int n_ours = version_parse(DOCKERFILE_VERSION, ours);
	for (int i = 0; i < MIN(n_asked, n_ours); i++)
		if (asked[i] != ours[i])
			return asked[i] > ours[i];
	return false;
}

bool syntax_version_check(const char *source, char **ret_warning, GError **error)
{
	*ret_warning = NULL;
	g_autoptr(reference) r = strcmp(source, "dockerfile.v0") == 0 ? NULL : reference_parse_normalized(source, NULL);
	if (!r || (!r->digest && (!r->tag || strcmp(r->tag, "latest") == 0)))
		return true;
	int64_t asked[PARTS] = {0};
	int n = r->tag ? version_parse(r->tag, asked) : 0;
	if (n > 0 && is_newer(asked, n))
		return error_set(
			error, ERROR_FAILED_PRECONDITION,
			"syntax %s is newer than the Dockerfile frontend built into this builder (%s): set the "
			"build argument BUILDKIT_SYNTAX=docker/dockerfile:1 to build with that",
			source, DOCKERFILE_VERSION);
	if (n == 0 || r->digest)
		*ret_warning =
			g_strdup_printf("The Dockerfile frontend built into this builder (%s) is used instead of %s",
					DOCKERFILE_VERSION, source);
	return true;
}
