/* SPDX-License-Identifier: Apache-2.0 */
#include "source/git_bundle_header.h"
#include "source/git_refs.h"
#include <string.h>

#define VERSION_2 "# v2 git bundle"
#define VERSION_3 "# v3 git bundle"

size_t git_bundle_header_length(const char *bytes, size_t n)
{
	const char *end = memmem(bytes, n, "\n\n", 2);
	return end ? (size_t)(end - bytes) + 2 : 0;
}

static bool ref_read(const char *line, struct git_bundle_header *h, GError **error)
{
	g_autofree char *id = g_strndup(line, strcspn(line, " "));
	if (!git_is_commit(id))
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid object ID %.80s", id);
	if (h->refs++ == 0)
		h->long_ids = strlen(id) == 64;
	return true;
}

bool git_bundle_header_read(const char *bytes, size_t n, struct git_bundle_header *ret, GError **error)
{
	struct git_bundle_header h = {0};
	size_t needed = 0;
	if (memchr(bytes, '\0', n))
		return error_set(error, ERROR_INVALID_ARGUMENT, "not a git bundle");
	g_autofree char *text = g_strndup(bytes, n);
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	bool version_3 = g_strcmp0(lines[0], VERSION_3) == 0;
	if (!version_3 && g_strcmp0(lines[0], VERSION_2) != 0)
		return error_set(error, ERROR_INVALID_ARGUMENT, "not a git bundle of version 2 or 3");
	for (char **line = lines + 1; *line && **line; line++) {
		if (version_3 && **line == '@')
			continue; /* a capability, which git judges */
		if (**line == '-')
			needed++;
		else if (!ref_read(*line, &h, error))
			return false;
	}
	if (needed > 0)
		return error_set(error, ERROR_INVALID_ARGUMENT, "the bundle needs %zu commits that it does not contain",
				 needed);
	if (h.refs == 0)
		return error_set(error, ERROR_INVALID_ARGUMENT, "no refs found");
	*ret = h;
	return true;
}
