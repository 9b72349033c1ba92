/* SPDX-License-Identifier: Apache-2.0 */
#include "source/http_name.h"
#include "source/file_record.h"
#include "registry/libcurl.h"
#include <string.h>
#include <time.h>

#define TOKEN_BYTES G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "!#$%&'*+-.^_`|~"

/* Parses a token or a quoted string and advances *p behind it. Returns NULL if it is neither. */
static char *value_read(const char **p)
{
	if (**p != '"') {
		size_t n = strspn(*p, TOKEN_BYTES);
		char *value = n ? g_strndup(*p, n) : NULL;
		*p += n;
		return value;
	}
	g_autoptr(GString) text = g_string_new(NULL);
	for ((*p)++; **p && **p != '"'; (*p)++) {
		if (**p == '\\' && (*p)[1])
			(*p)++;
		g_string_append_c(text, **p);
	}
	if (**p != '"')
		return NULL;
	(*p)++;
	return g_string_free(g_steal_pointer(&text), FALSE);
}

/* Decodes charset'language'percent-encoded; UTF-8 and ASCII only. */
static char *extended_decode(const char *value)
{
	const char *first = strchr(value, '\'');
	const char *second = first ? strchr(first + 1, '\'') : NULL;
	if (!second ||
	    (g_ascii_strncasecmp(value, "utf-8'", 6) != 0 && g_ascii_strncasecmp(value, "us-ascii'", 9) != 0))
		return NULL;
	return g_uri_unescape_string(second + 1, NULL);
}

/* The filename parameter of Content-Disposition (RFC 6266: quoted, token, or filename*=UTF-8''...), or NULL. */
static char *content_disposition_filename(const char *header)
{
	g_autofree char *plain = NULL, *extended = NULL;
	const char *p = header + strcspn(header, ";");
	while (*p == ';') {
		p += 1 + strspn(p + 1, " \t");
		size_t n = strspn(p, TOKEN_BYTES);
		if (n == 0)
			break;
		g_autofree char *key = g_ascii_strdown(p, (gssize)n);
		p += n + strspn(p + n, " \t");
		if (*p != '=')
			return NULL;
		p += 1 + strspn(p + 1, " \t");
		g_autofree char *value = value_read(&p);
		if (!value)
			return NULL;
		p += strspn(p, " \t");
		if (g_str_equal(key, "filename") && !plain)
			plain = g_steal_pointer(&value);
		else if (g_str_equal(key, "filename*") && !extended)
			extended = extended_decode(value);
	}
	return extended ? g_steal_pointer(&extended) : g_steal_pointer(&plain);
}

static char *path_base(const char *url)
{
	g_autoptr(GUri) uri = g_uri_parse(url, G_URI_FLAGS_PARSE_RELAXED, NULL);
	const char *path = uri ? g_uri_get_path(uri) : "";
	g_autofree char *trimmed = g_strdup(path);
	for (size_t n = strlen(trimmed); n > 0 && trimmed[n - 1] == '/'; n--)
		trimmed[n - 1] = '\0';
	const char *slash = strrchr(trimmed, '/');
	return g_strdup(slash ? slash + 1 : trimmed);
}

char *http_file_name(const char *url, const char *asked, const char *content_disposition)
{
	if (asked && *asked)
		return file_name_safe(asked);
	g_autofree char *said = content_disposition ? content_disposition_filename(content_disposition) : NULL;
	if (said && *said && !g_str_has_suffix(said, "/"))
		return file_name_safe(said);
	g_autofree char *base = path_base(url);
	return file_name_safe(base);
}

char *http_date_format(int64_t seconds)
{
	static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
					     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	time_t when = (time_t)seconds;
	struct tm tm;
	if (!gmtime_r(&when, &tm))
		return g_strdup("");
	return g_strdup_printf("%s, %02d %s %04d %02d:%02d:%02d GMT", days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon],
			       tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

bool http_date_parse(const char *text, int64_t *ret_seconds)
{
	if (!libcurl_load(NULL)) /* does not fail: libcurl received this date */
		return false;
	time_t when = libcurl.getdate(text, NULL);
	if (when == (time_t)-1)
		return false;
	*ret_seconds = when;
	return true;
}
