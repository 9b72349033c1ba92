/* SPDX-License-Identifier: Apache-2.0 */
#include "format/http_request.h"
#include <arpa/inet.h>
#include <string.h>

#define HOST_BYTES 255

size_t http_request_head(const char *bytes, size_t n)
{
	for (size_t i = 3; i < n; i++)
		if (bytes[i] == '\n' && memcmp(bytes + i - 3, "\r\n\r\n", 4) == 0)
			return i + 1;
	return 0;
}

void http_request_clear(struct http_request *r)
{
	g_free(r->method);
	g_free(r->path);
	g_free(r->query);
	g_free(r->host);
	g_free(r->cookie);
	g_free(r->authorization);
	*r = (struct http_request){0};
}

static bool has_control(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return true;
	return false;
}

/* "GET /path?query HTTP/1.1" */
static bool parse_line(const char *line, struct http_request *r, GError **error)
{
	g_auto(GStrv) words = g_strsplit(line, " ", 4);
	if (has_control(line) || g_strv_length(words) != 3 || !g_str_has_prefix(words[2], "HTTP/1.") || !*words[0] ||
	    *words[1] != '/')
		return error_set(error, ERROR_INVALID_ARGUMENT, "malformed request line");
	size_t n = strcspn(words[1], "?");
	r->method = g_strdup(words[0]);
	r->path = g_strndup(words[1], n);
	r->query = g_strdup(words[1][n] ? words[1] + n + 1 : "");
	return true;
}

static void keep_first(char **member, const char *value)
{
	if (!*member)
		*member = g_strdup(value);
}

static bool parse_field(char *line, struct http_request *r, GError **error)
{
	char *colon = strchr(line, ':');
	if (!colon || colon == line || colon[-1] == ' ')
		return error_set(error, ERROR_INVALID_ARGUMENT, "malformed header field");
	*colon = '\0';
	const char *value = g_strstrip(colon + 1);
	if (has_control(value))
		return error_set(error, ERROR_INVALID_ARGUMENT, "control character in header field");
	if (g_ascii_strcasecmp(line, "Host") == 0) {
		if (r->host)
			return error_set(error, ERROR_INVALID_ARGUMENT, "several Host fields");
		r->host = g_strdup(value);
	} else if (g_ascii_strcasecmp(line, "Cookie") == 0) {
		keep_first(&r->cookie, value);
	} else if (g_ascii_strcasecmp(line, "Authorization") == 0) {
		keep_first(&r->authorization, value);
	} else if (g_ascii_strcasecmp(line, "Transfer-Encoding") == 0) {
		return error_set(error, ERROR_INVALID_ARGUMENT, "Transfer-Encoding is not supported");
	} else if (g_ascii_strcasecmp(line, "Content-Length") == 0 &&
		   !g_ascii_string_to_unsigned(value, 10, 0, G_MAXINT32, &r->body_bytes, NULL)) {
		return error_set(error, ERROR_INVALID_ARGUMENT, "malformed Content-Length");
	}
	return true;
}

bool http_request_parse(const char *bytes, size_t head, struct http_request *ret, GError **error)
{
	g_auto(http_request) r = {0};
	if (head < 4 || memchr(bytes, '\0', head))
		return error_set(error, ERROR_INVALID_ARGUMENT, "malformed request");
	g_autofree char *text = g_strndup(bytes, head - 4);
	g_auto(GStrv) lines = g_strsplit(text, "\r\n", -1);
	if (!lines[0])
		return error_set(error, ERROR_INVALID_ARGUMENT, "empty request");
	if (!parse_line(lines[0], &r, error))
		return false;
	for (char **line = lines + 1; *line; line++)
		if (!parse_field(*line, &r, error))
			return false;
	*ret = r;
	r = (struct http_request){0};
	return true;
}

char *http_form_get(const char *text, const char *name)
{
	g_auto(GStrv) pairs = g_strsplit(text, "&", -1);
	for (char **pair = pairs; *pair; pair++) {
		char *value = strchr(*pair, '=');
		if (!value)
			continue;
		*value++ = '\0';
		if (strcmp(*pair, name) != 0)
			continue;
		g_strdelimit(value, "+", ' ');
		return g_uri_unescape_string(value, NULL);
	}
	return NULL;
}

char *http_cookie_get(const char *field, const char *name)
{
	g_auto(GStrv) pairs = g_strsplit(field ? field : "", ";", -1);
	size_t n = strlen(name);
	for (char **pair = pairs; *pair; pair++) {
		const char *text = g_strstrip(*pair);
		if (strncmp(text, name, n) == 0 && text[n] == '=')
			return g_strdup(text + n + 1);
	}
	return NULL;
}

/* Removes ":port"; false if what follows the host is something else. */
static bool cut_port(char *host)
{
	char *end = *host == '[' ? strchr(host, ']') : strchr(host, ':');
	if (*host == '[' && !end)
		return false;
	char *port = *host == '[' ? end + 1 : end;
	if (!port || !*port)
		return true;
	if (*port != ':' || port[1 + strspn(port + 1, "0123456789")])
		return false;
	*port = '\0';
	return true;
}

bool http_host_is_literal(const char *host)
{
	g_autofree char *name = g_strndup(host ? host : "", HOST_BYTES);
	struct in6_addr address;
	if (!cut_port(name))
		return false;
	size_t n = strlen(name);
	if (*name == '[' && n > 2 && name[n - 1] == ']') {
		name[n - 1] = '\0';
		return inet_pton(AF_INET6, name + 1, &address) == 1;
	}
	return g_ascii_strcasecmp(name, "localhost") == 0 || inet_pton(AF_INET, name, &address) == 1;
}
