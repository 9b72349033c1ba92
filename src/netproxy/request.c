/* SPDX-License-Identifier: Apache-2.0 */
#include "netproxy/request.h"
#include "base/limits.h"
#include "base/secret.h"
#include <string.h>

#define METHOD_MAX 32
#define BODY_MAX_DIGITS 18

struct parse {
	const char *p, *end; /* what is left of the head */
	const struct netproxy_target *tunnel;
	struct netproxy_request *q;
	bool has_length, is_encoded, has_host;
	char *connection; /* owned: the options of Connection headers, joined */
	GError **error;
};

/* Sets the error and returns the status. */
static int refuse(const struct parse *s, int status, const char *text)
{
	error_set(s->error, ERROR_INVALID_ARGUMENT, "%s", text);
	return status;
}

void netproxy_request_clear(struct netproxy_request *q)
{
	g_clear_pointer(&q->method, g_free);
	netproxy_target_clear(&q->target);
	g_clear_pointer(&q->headers, g_ptr_array_unref);
}

/* ---- grammar */

bool netproxy_is_token(const char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!g_ascii_isalnum(bytes[i]) && (bytes[i] == '\0' || !strchr("!#$%&'*+-.^_`|~", bytes[i])))
			return false;
	return n > 0;
}

bool netproxy_is_field_value(const char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)bytes[i] < ' ' ? bytes[i] != '\t' : bytes[i] == 0x7f)
			return false;
	return true;
}

size_t netproxy_head_size(const char *bytes, size_t n, size_t from)
{
	size_t at = from > 3 ? from - 3 : 0;
	const char *end = n > at ? memmem(bytes + at, n - at, "\r\n\r\n", 4) : NULL;
	return end ? (size_t)(end - bytes) + 4 : 0;
}

/* Takes the next line without its CRLF. False: a CR or LF that is not part of a CRLF. */
static bool take_line(struct parse *s, const char **ret, size_t *ret_n)
{
	const char *cr = memchr(s->p, '\r', (size_t)(s->end - s->p));
	if (!cr || cr + 1 >= s->end || cr[1] != '\n' || memchr(s->p, '\n', (size_t)(cr - s->p)))
		return false;
	*ret = s->p;
	*ret_n = (size_t)(cr - s->p);
	s->p = cr + 2;
	return true;
}

bool netproxy_is_hop_header(const char *name)
{
	static const char *const names[] = {"Connection",
					    "Keep-Alive",
					    "Proxy-Authenticate",
					    "Proxy-Authorization",
					    "Proxy-Connection",
					    "TE",
					    "Trailer",
					    "Transfer-Encoding",
					    "Upgrade"};
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		if (g_ascii_strcasecmp(name, names[i]) == 0)
			return true;
	return false;
}

const char *netproxy_request_header(const struct netproxy_request *q, const char *name)
{
	for (guint i = 0; i + 1 < q->headers->len; i += 2)
		if (g_ascii_strcasecmp(q->headers->pdata[i], name) == 0)
			return q->headers->pdata[i + 1];
	return NULL;
}

/* ---- the request line */

static int parse_target(struct parse *s, const char *text, size_t n)
{
	struct netproxy_request *q = s->q;
	bool connect = strcmp(q->method, "CONNECT") == 0;
	if (!s->tunnel && connect)
		return netproxy_target_parse_authority(text, n, &q->target, s->error) ? 0 : 400;
	if (!s->tunnel)
		return netproxy_target_parse(text, n, &q->target, s->error) ? 0 : 400;
	if (connect)
		return refuse(s, 405, "CONNECT inside of a tunnel");
	if (n == 0 || text[0] != '/')
		return refuse(s, 400, "request target is not a path");
	q->target =
		(struct netproxy_target){.is_https = true, .host = g_strdup(s->tunnel->host), .port = s->tunnel->port};
	return netproxy_target_set_path(&q->target, text, n, s->error) ? 0 : 400;
}

static int parse_request_line(struct parse *s)
{
	const char *line;
	size_t n;
	if (!take_line(s, &line, &n))
		return refuse(s, 400, "invalid end of line");
	const char *first = memchr(line, ' ', n), *last = memrchr(line, ' ', n);
	if (!first || first == last)
		return refuse(s, 400, "invalid request line");
	size_t n_method = (size_t)(first - line);
	if (n_method > METHOD_MAX || !netproxy_is_token(line, n_method))
		return refuse(s, 400, "invalid method");
	s->q->method = g_strndup(line, n_method);
	const char *version = last + 1;
	size_t n_version = (size_t)(line + n - version);
	if (n_version != 8 || memcmp(version, "HTTP/", 5) != 0)
		return refuse(s, 400, "invalid request line");
	s->q->is_1_0 = memcmp(version, "HTTP/1.0", 8) == 0;
	if (!s->q->is_1_0 && memcmp(version, "HTTP/1.1", 8) != 0)
		return refuse(s, 505, "HTTP version is not supported");
	return parse_target(s, first + 1, (size_t)(last - first) - 1);
}

/* ---- headers */

static int parse_length(struct parse *s, const char *value)
{
	size_t digits = strspn(value, "0123456789");
	if (s->has_length || digits == 0 || digits > BODY_MAX_DIGITS || value[digits] != '\0')
		return refuse(s, 400, "invalid Content-Length");
	s->has_length = true;
	s->q->has_body = true;
	s->q->body_size = g_ascii_strtoll(value, NULL, 10);
	return 0;
}

static int parse_encoding(struct parse *s, const char *value)
{
	if (s->is_encoded)
		return refuse(s, 400, "more than one Transfer-Encoding");
	if (g_ascii_strcasecmp(value, "chunked") != 0)
		return refuse(s, 501, "Transfer-Encoding is not supported");
	s->is_encoded = s->q->has_body = true;
	s->q->body_size = -1;
	return 0;
}

static int parse_host(struct parse *s, const char *value)
{
	if (s->has_host)
		return refuse(s, 400, "more than one Host");
	s->has_host = true;
	/* An absolute target replaces Host (RFC 9112, 3.2.2). */
	if (s->tunnel && !netproxy_target_is_host(s->tunnel, value))
		return refuse(s, 421, "Host differs from the server of the tunnel");
	return 0;
}

static int parse_expect(struct parse *s, const char *value)
{
	if (g_ascii_strcasecmp(value, "100-continue") != 0)
		return refuse(s, 417, "Expect is not supported");
	s->q->expects_continue = true;
	return 0;
}

static void note_connection(struct parse *s, const char *value)
{
	char *all = s->connection ? g_strconcat(s->connection, ",", value, NULL) : g_strdup(value);
	g_free(s->connection);
	s->connection = all;
}

static void keep_header(const struct parse *s, const char *name, const char *value)
{
	/* As upstream: what is downloaded is the file itself. */
	if (netproxy_is_hop_header(name) || g_ascii_strcasecmp(name, "Accept-Encoding") == 0)
		return;
	g_ptr_array_add(s->q->headers, g_strdup(name));
	g_ptr_array_add(s->q->headers, g_strdup(value));
}

static int parse_header(struct parse *s, const char *name, const char *value)
{
	static const struct {
		const char *name;
		int (*fn)(struct parse *s, const char *value);
	} special[] = {
		{"Content-Length", parse_length},
		{"Transfer-Encoding", parse_encoding},
		{"Host", parse_host},
		{"Expect", parse_expect},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(special); i++)
		if (g_ascii_strcasecmp(name, special[i].name) == 0)
			return special[i].fn(s, value);
	if (g_ascii_strcasecmp(name, "Connection") == 0 || g_ascii_strcasecmp(name, "Proxy-Connection") == 0)
		note_connection(s, value);
	keep_header(s, name, value);
	return 0;
}

static int parse_header_line(struct parse *s, const char *line, size_t n)
{
	const char *colon = memchr(line, ':', n);
	if (!colon || !netproxy_is_token(line, (size_t)(colon - line)))
		return refuse(s, 400, "invalid header");
	g_autofree char *name = g_strndup(line, (size_t)(colon - line));
	size_t n_value = n - (size_t)(colon + 1 - line);
	if (!netproxy_is_field_value(colon + 1, n_value))
		return refuse(s, 400, "invalid header value");
	scoped_secret value = g_strndup(colon + 1, n_value);
	return parse_header(s, name, g_strstrip(value));
}

static int parse_headers(struct parse *s)
{
	for (unsigned n_headers = 0;; n_headers++) {
		const char *line;
		size_t n;
		if (!take_line(s, &line, &n))
			return refuse(s, 400, "invalid end of line");
		if (n == 0)
			return s->p == s->end ? 0 : refuse(s, 400, "bytes after the head");
		if (n_headers >= LIMIT_PROXY_HEADERS)
			return refuse(s, 431, "too many headers");
		int status = parse_header_line(s, line, n);
		if (status != 0)
			return status;
	}
}

/* ---- the connection */

/* Removes headers that Connection names, and determines whether the connection stays open. */
static void apply_connection(struct parse *s)
{
	g_auto(GStrv) options = g_strsplit(s->connection ? s->connection : "", ",", -1);
	bool close = false, keep = false;
	for (char **o = options; *o; o++) {
		g_strstrip(*o);
		close |= g_ascii_strcasecmp(*o, "close") == 0;
		keep |= g_ascii_strcasecmp(*o, "keep-alive") == 0;
		for (guint i = 0; i + 1 < s->q->headers->len;) {
			if (g_ascii_strcasecmp(s->q->headers->pdata[i], *o) == 0)
				g_ptr_array_remove_range(s->q->headers, i, 2);
			else
				i += 2;
		}
	}
	s->q->keep_alive = !close && (keep || !s->q->is_1_0);
}

static int check(const struct parse *s)
{
	const struct netproxy_request *q = s->q;
	if (s->has_length && s->is_encoded)
		return refuse(s, 400, "both Content-Length and Transfer-Encoding");
	if (q->is_1_0 && s->is_encoded)
		return refuse(s, 400, "Transfer-Encoding of HTTP/1.0");
	if (!q->is_1_0 && !s->has_host)
		return refuse(s, 400, "missing Host");
	if (strcmp(q->method, "CONNECT") == 0 && q->has_body)
		return refuse(s, 400, "CONNECT with a body");
	return 0;
}

int netproxy_request_parse(const char *bytes, size_t n, const struct netproxy_target *tunnel,
			   struct netproxy_request *ret, GError **error)
{
	struct netproxy_request q = {.headers = g_ptr_array_new_with_free_func(secret_free)};
	struct parse s = {.p = bytes, .end = bytes + n, .tunnel = tunnel, .q = &q, .error = error};
	int status = parse_request_line(&s);
	if (status == 0)
		status = parse_headers(&s);
	if (status == 0)
		status = check(&s);
	if (status == 0) {
		apply_connection(&s);
		*ret = q;
	} else {
		netproxy_request_clear(&q);
	}
	g_free(s.connection);
	return status;
}
