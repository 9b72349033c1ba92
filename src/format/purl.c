/* SPDX-License-Identifier: Apache-2.0 */
#include "format/purl.h"
#include "format/reference.h"
#include <string.h>

#define UNRESERVED "-_.~"
#define IN_PATH UNRESERVED "$&+=:@"

static void append_escaped(GString *to, const char *text, const char *keep)
{
	for (; *text; text++) {
		if (g_ascii_isalnum(*text) || strchr(keep, *text))
			g_string_append_c(to, *text);
		else
			g_string_append_printf(to, "%%%02X", (unsigned char)*text);
	}
}

static void append_qualifier(GString *to, bool *first, const char *key, const char *value)
{
	g_string_append_printf(to, "%c%s=", *first ? '?' : '&', key);
	append_escaped(to, value, IN_PATH);
	*first = false;
}

/* "a/b/c": escapes each part separately and keeps the slashes. */
static void append_name(GString *to, const char *name)
{
	g_auto(GStrv) parts = g_strsplit(name, "/", -1);
	for (char **part = parts; *part; part++) {
		g_string_append(to, part == parts ? "" : "/");
		append_escaped(to, *part, UNRESERVED);
	}
}

char *purl_of_image(const char *type, const char *image, const struct platform *platform, const char *ref_type,
		    const char *vcs_url, GError **error)
{
	g_autoptr(reference) r = reference_parse_normalized(image, error);
	if (!r)
		return error_prefix_null(error, "failed to parse ref \"%s\": ", image);
	if (!r->digest)
		reference_tag_default(r);
	g_autofree char *tag = g_steal_pointer(&r->tag), *digest = g_steal_pointer(&r->digest);
	g_autofree char *name = reference_familiar(r);
	GString *url = g_string_new(NULL);
	bool first = true;
	g_string_printf(url, "pkg:%s/", type);
	append_name(url, name);
	if (tag) {
		g_string_append_c(url, '@');
		append_escaped(url, tag, IN_PATH);
	}
	if (digest)
		append_qualifier(url, &first, "digest", digest);
	if (platform) {
		struct platform p = *platform;
		platform_normalize(&p);
		g_autofree char *text = platform_format(&p);
		append_qualifier(url, &first, "platform", text);
	}
	if (ref_type)
		append_qualifier(url, &first, "ref_type", ref_type);
	if (vcs_url)
		append_qualifier(url, &first, "vcs_url", vcs_url);
	return g_string_free(url, FALSE);
}
