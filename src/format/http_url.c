/* SPDX-License-Identifier: Apache-2.0 */
#include "format/http_url.h"
#include <string.h>

#define HTTP_PORT 80
#define HTTPS_PORT 443
#define PORT_MAX 65535

void http_url_clear(struct http_url *u)
{
	g_clear_pointer(&u->userinfo, g_free);
	g_clear_pointer(&u->authority, g_free);
	g_clear_pointer(&u->host, g_free);
	g_clear_pointer(&u->target, g_free);
}

/* ---- escapes */

static bool is_unreserved(char c)
{
	return g_ascii_isalnum(c) || (c && strchr("-_.~", c));
}

/* Bytes that Go does not escape in a path. */
static bool is_path_byte(char c)
{
	return is_unreserved(c) || (c && strchr("$&+,/:;=@", c));
}

static bool is_escape(const char *p)
{
	return p[0] == '%' && g_ascii_isxdigit(p[1]) && g_ascii_isxdigit(p[2]);
}

static void append_escaped(GString *out, char c)
{
	g_string_append_printf(out, "%%%02X", (unsigned char)c);
}

static bool escapes_check(const char *text, const char *shown, GError **error)
{
	for (const char *p = strchr(text, '%'); p; p = strchr(p + 1, '%'))
		if (!is_escape(p))
			return error_set(error, ERROR_INVALID_ARGUMENT, "parse \"%.200s\": invalid URL escape \"%.3s\"",
					 shown, p);
	return true;
}

/* A path with only RFC 3986 characters is sent unchanged; others are decoded and encoded again. */
static char *path_encode(const char *path)
{
	bool valid = true;
	for (const char *p = path; *p && valid; p++)
		valid = is_path_byte(*p) || strchr("!'()*[]%", *p);
	if (valid)
		return g_strdup(path);
	GString *out = g_string_new(NULL);
	for (const char *p = path; *p; p++) {
		char c = *p;
		if (is_escape(p)) {
			c = (char)(g_ascii_xdigit_value(p[1]) << 4 | g_ascii_xdigit_value(p[2]));
			p += 2;
		}
		if (is_path_byte(c))
			g_string_append_c(out, c);
		else
			append_escaped(out, c);
	}
	return g_string_free(out, FALSE);
}

char *http_url_query_escape(const char *text)
{
	GString *out = g_string_new(NULL);
	for (const char *p = text; *p; p++)
		if (*p == ' ')
			g_string_append_c(out, '+');
		else if (is_unreserved(*p))
			g_string_append_c(out, *p);
		else
			append_escaped(out, *p);
	return g_string_free(out, FALSE);
}

/* ---- parse */

static size_t scheme_length(const char *text)
{
	size_t n = 0;
	if (!g_ascii_isalpha(text[0]))
		return 0;
	while (g_ascii_isalnum(text[n]) || (text[n] && strchr("+-.", text[n])))
		n++;
	return text[n] == ':' ? n : 0;
}

static bool scheme_read(const char *text, size_t n, bool *ret_https, const char *shown, GError **error)
{
	*ret_https = n == strlen("https") && g_ascii_strncasecmp(text, "https", n) == 0;
	if (*ret_https || (n == strlen("http") && g_ascii_strncasecmp(text, "http", n) == 0))
		return true;
	return error_set(error, ERROR_INVALID_ARGUMENT, "unsupported protocol scheme \"%.*s\" of \"%.200s\"",
			 (int)MIN(n, 32), text, shown);
}

/* host, host:port, [v6], [v6]:port */
static bool host_port_read(struct http_url *u, const char *shown, GError **error)
{
	const char *text = u->authority, *end, *port = NULL;
	if (text[0] == '[') {
		end = strchr(text, ']');
		if (!end)
			return error_set(error, ERROR_INVALID_ARGUMENT, "parse \"%.200s\": missing ']' in host", shown);
		text++;
		port = end[1] ? end + 1 : NULL;
	} else {
		port = strchr(text, ':');
		end = port ? port : text + strlen(text);
	}
	if (end == text)
		return error_set(error, ERROR_INVALID_ARGUMENT, "no host in URL \"%.200s\"", shown);
	for (const char *p = text; p < end; p++)
		if (strchr(" \"<>\\^`{|}%", *p) && !(u->authority[0] == '[' && *p == '%'))
			return error_set(error, ERROR_INVALID_ARGUMENT,
					 "parse \"%.200s\": invalid character in host name", shown);
	u->host = g_ascii_strdown(text, end - text);
	u->port = u->is_https ? HTTPS_PORT : HTTP_PORT;
	if (!port || g_str_equal(port, ":"))
		return true;
	guint64 number;
	if (port[0] != ':' || !g_ascii_string_to_unsigned(port + 1, 10, 0, PORT_MAX, &number, NULL))
		return error_set(error, ERROR_INVALID_ARGUMENT, "parse \"%.200s\": invalid port \"%.32s\" after host",
				 shown, port);
	u->port = (int)number;
	return true;
}

static bool userinfo_check(const char *userinfo, const char *shown, GError **error)
{
	for (const char *p = userinfo; *p; p++)
		if (!g_ascii_isalnum(*p) && !strchr("-._:~!$&'()*+,;=%@", *p))
			return error_set(error, ERROR_INVALID_ARGUMENT, "parse \"%.200s\": invalid userinfo", shown);
	return escapes_check(userinfo, shown, error);
}

static bool url_read(const char *text, struct http_url *u, GError **error)
{
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return error_set(error, ERROR_INVALID_ARGUMENT, "invalid control character in URL");
	size_t scheme = scheme_length(text);
	if (!scheme_read(text, scheme, &u->is_https, text, error))
		return false;
	const char *p = text + scheme + 1;
	if (!g_str_has_prefix(p, "//"))
		return error_set(error, ERROR_INVALID_ARGUMENT, "no host in URL \"%.200s\"", text);
	p += 2;
	size_t n = strcspn(p, "/?#");
	g_autofree char *all = g_strndup(p, n);
	char *at = strrchr(all, '@');
	if (at) {
		*at = '\0';
		u->userinfo = g_strdup(all);
	}
	u->authority = g_strdup(at ? at + 1 : all);
	p += n;
	size_t path_n = strcspn(p, "?#");
	g_autofree char *path = g_strndup(p, path_n);
	g_autofree char *shown = http_url_show(text);
	if ((u->userinfo && !userinfo_check(u->userinfo, shown, error)) || !escapes_check(path, shown, error) ||
	    !host_port_read(u, shown, error))
		return false;
	g_autofree char *encoded = path_encode(path);
	GString *target = g_string_new(*encoded ? encoded : "/");
	p += path_n;
	for (bool query = *p == '?'; query && *p && *p != '#'; p++) {
		if (*p == ' ') /* it would end the request target */
			g_string_append(target, "%20");
		else
			g_string_append_c(target, *p);
	}
	u->target = g_string_free(target, FALSE);
	return true;
}

bool http_url_parse(const char *text, struct http_url *ret, GError **error)
{
	g_auto(http_url) u = {0};
	if (!url_read(text, &u, error))
		return false;
	*ret = u;
	u = (struct http_url){0};
	return true;
}

/* ---- resolve */

/* RFC 3986, 5.2.4: removes "." and "..". */
static char *dots_remove(const char *path)
{
	g_auto(GStrv) parts = g_strsplit(path, "/", -1);
	g_autoptr(GPtrArray) kept = g_ptr_array_new();
	bool is_directory = false;
	for (char **part = parts[0] && path[0] == '/' ? parts + 1 : parts; *part; part++) {
		bool up = g_str_equal(*part, "..");
		is_directory = up || g_str_equal(*part, ".");
		if (up && kept->len > 0)
			g_ptr_array_remove_index(kept, kept->len - 1);
		if (!is_directory)
			g_ptr_array_add(kept, *part);
	}
	if (is_directory)
		g_ptr_array_add(kept, (gpointer) "");
	g_ptr_array_add(kept, NULL);
	g_autofree char *joined = g_strjoinv("/", (char **)kept->pdata);
	return g_strconcat("/", joined, NULL);
}

static char *url_text(const struct http_url *u, const char *path, const char *query)
{
	return g_strdup_printf("%s://%s%s%s%s%s", u->is_https ? "https" : "http", u->userinfo ? u->userinfo : "",
			       u->userinfo ? "@" : "", u->authority, path, query);
}

static char *resolve_absolute(const char *text, GError **error)
{
	g_auto(http_url) u = {0};
	if (!http_url_parse(text, &u, error))
		return NULL;
	size_t n = strcspn(u.target, "?");
	g_autofree char *path = g_strndup(u.target, n);
	g_autofree char *clean = dots_remove(path);
	return url_text(&u, clean, u.target + n);
}

char *http_url_resolve(const char *base, const char *location, GError **error)
{
	g_auto(http_url) from = {0};
	if (!http_url_parse(base, &from, error))
		return NULL;
	if (scheme_length(location) > 0)
		return resolve_absolute(location, error);
	if (g_str_has_prefix(location, "//")) {
		g_autofree char *text = g_strconcat(from.is_https ? "https:" : "http:", location, NULL);
		return resolve_absolute(text, error);
	}
	g_autofree char *bare = g_strndup(location, strcspn(location, "#"));
	size_t base_n = strcspn(from.target, "?"), n = strcspn(bare, "?");
	g_autofree char *base_path = g_strndup(from.target, base_n);
	const char *query = bare[n] || n > 0 ? bare + n : from.target + base_n;
	g_autofree char *relative = g_strndup(bare, n);
	if (n > 0 && bare[0] != '/')
		*(strrchr(base_path, '/') + 1) = '\0';
	g_autofree char *path = n == 0           ? g_strdup(base_path)
				: bare[0] == '/' ? g_strdup(relative)
						 : g_strconcat(base_path, relative, NULL);
	g_autofree char *text = url_text(&from, path, query);
	return resolve_absolute(text, error);
}

/* ---- comparison and messages */

bool http_url_same_origin(const char *a, const char *b)
{
	g_auto(http_url) x = {0};
	g_auto(http_url) y = {0};
	return http_url_parse(a, &x, NULL) && http_url_parse(b, &y, NULL) && x.is_https == y.is_https &&
	       x.port == y.port && g_str_equal(x.host, y.host);
}

char *http_url_show(const char *text)
{
	const char *begin = strstr(text, "://");
	if (!begin)
		return g_strdup("invalid URL");
	begin += strlen("://");
	size_t n = strcspn(begin, "/?#");
	const char *at = g_strrstr_len(begin, (gssize)n, "@");
	return at ? g_strdup_printf("%.*s%s", (int)(begin - text), text, at + 1) : g_strdup(text);
}
