/* SPDX-License-Identifier: Apache-2.0 */
#include "format/url_redact.h"
#include <stdbool.h>
#include <string.h>

#define MASK "xxxxx"
#define SCHEME_CHARACTERS G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "+-."

char *url_redact(const char *url)
{
	const char *separator = strstr(url, "://");
	const char *start = separator ? separator + 3 : NULL;
	const char *at = start ? g_strrstr_len(start, (gssize)strcspn(start, "/?#"), "@") : NULL;
	if (!at)
		return g_strdup(url);
	const char *colon = memchr(start, ':', (size_t)(at - start));
	bool named = start < (colon ? colon : at);
	const char *mask = named ? (colon ? MASK ":" MASK : MASK) : (colon ? ":" MASK : "");
	return g_strdup_printf("%.*s%s%s", (int)(start - url), url, mask, at);
}

/* Finds the end of an authority: the path, or a character that separates words. */
static size_t authority_length(const char *p, const char *end)
{
	const char *start = p;
	while (p < end && (unsigned char)*p > 0x20 && *p != 0x7F && !strchr("/?#\"'`<>|", *p))
		p++;
	return (size_t)(p - start);
}

static bool begins_word(const char *text, const char *scheme)
{
	return scheme == text || (unsigned char)scheme[-1] <= 0x20 || strchr("\"'=,[(", scheme[-1]) != NULL;
}

static bool is_http(const char *scheme, size_t n)
{
	return (n == 4 && g_ascii_strncasecmp(scheme, "http", 4) == 0) ||
	       (n == 5 && g_ascii_strncasecmp(scheme, "https", 5) == 0);
}

/* Returns the replacement of the user part [user, at), or NULL if it may be shown. */
static const char *mask_of(const char *text, const char *separator, const char *user, const char *at)
{
	const char *colon = memchr(user, ':', (size_t)(at - user)), *scheme = separator;
	while (scheme > text && strchr(SCHEME_CHARACTERS, scheme[-1]))
		scheme--;
	if (scheme == separator || at == user)
		return NULL;
	if (colon && colon + 1 < at)
		return colon == user ? ":" MASK : MASK ":" MASK;
	return is_http(scheme, (size_t)(separator - scheme)) && begins_word(text, scheme) ? MASK : NULL;
}

char *url_redact_text(const char *text, gssize n)
{
	if (n == 0)
		return NULL;
	const char *end = text + (n < 0 ? strlen(text) : (size_t)n), *copied = text, *p = text;
	g_autoptr(GString) out = NULL;
	while ((p = memmem(p, (size_t)(end - p), "://", 3)) != NULL) {
		const char *separator = p;
		p += 3;
		const char *at = memrchr(p, '@', authority_length(p, end));
		const char *mask = at ? mask_of(text, separator, p, at) : NULL;
		if (!mask)
			continue;
		if (!out)
			out = g_string_sized_new((gsize)(end - text) + 16);
		g_string_append_len(out, copied, p - copied);
		g_string_append(out, mask);
		copied = p = at;
	}
	if (!out)
		return NULL;
	g_string_append_len(out, copied, end - copied);
	return g_string_free(g_steal_pointer(&out), FALSE);
}

char *url_redact_copy(const char *text)
{
	char *shown = text ? url_redact_text(text, -1) : NULL;
	return shown ? shown : g_strdup(text);
}
