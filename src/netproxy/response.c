/* SPDX-License-Identifier: Apache-2.0 */
#include "netproxy/response.h"
#include "base/limits.h"
#include "netproxy/request.h"
#include <string.h>

#define REASON_MAX 128
#define SIZE_MAX_DIGITS 18

void netproxy_response_clear(struct netproxy_response *r)
{
	g_free(r->reason);
	g_free(r->location);
	g_free(r->connection);
	if (r->headers)
		g_ptr_array_unref(r->headers);
	*r = (struct netproxy_response){.bytes = r->bytes};
}

static bool malformed(GError **error)
{
	return error_set(error, ERROR_UNKNOWN, "malformed HTTP response");
}

/* "HTTP/1.1 200 OK" */
static bool begin(struct netproxy_response *r, const char *line, size_t n, GError **error)
{
	const char *space = memchr(line, ' ', n);
	netproxy_response_clear(r);
	size_t left = space ? n - (size_t)(space + 1 - line) : 0;
	if (left < 3 || !g_ascii_isdigit(space[1]) || !g_ascii_isdigit(space[2]) || !g_ascii_isdigit(space[3]) ||
	    space[1] == '0' || (left > 3 && space[4] != ' '))
		return malformed(error);
	r->status = (space[1] - '0') * 100 + (space[2] - '0') * 10 + (space[3] - '0');
	size_t n_reason = left > 4 ? MIN(left - 4, REASON_MAX) : 0;
	r->reason = g_strndup(n_reason > 0 ? space + 5 : "", n_reason);
	for (char *c = r->reason; *c; c++)
		if (!(*c >= ' ' && *c < 0x7f))
			*c = '?';
	r->headers = g_ptr_array_new_with_free_func(g_free);
	r->size = -1;
	return true;
}

static bool set_size(struct netproxy_response *r, const char *value, GError **error)
{
	size_t digits = strspn(value, "0123456789");
	if (digits == 0 || digits > SIZE_MAX_DIGITS || value[digits] != '\0')
		return malformed(error);
	int64_t size = g_ascii_strtoll(value, NULL, 10);
	if (r->has_size && size != r->size)
		return malformed(error);
	r->has_size = true;
	r->size = size;
	return true;
}

static void note_connection(struct netproxy_response *r, const char *value)
{
	char *all = r->connection ? g_strconcat(r->connection, ",", value, NULL) : g_strdup(value);
	g_free(r->connection);
	r->connection = all;
}

static bool add(struct netproxy_response *r, const char *line, size_t n, GError **error)
{
	const char *colon = memchr(line, ':', n);
	if (!colon || !netproxy_is_token(line, (size_t)(colon - line)) ||
	    !netproxy_is_field_value(colon + 1, n - (size_t)(colon + 1 - line)) ||
	    r->headers->len >= 2 * LIMIT_HEADER_FIELDS)
		return malformed(error);
	g_autofree char *name = g_strndup(line, (size_t)(colon - line));
	g_autofree char *value = g_strstrip(g_strndup(colon + 1, n - (size_t)(colon + 1 - line)));
	if (g_ascii_strcasecmp(name, "Content-Length") == 0)
		return set_size(r, value, error);
	if (g_ascii_strcasecmp(name, "Transfer-Encoding") == 0)
		r->is_encoded = true;
	if (g_ascii_strcasecmp(name, "Connection") == 0)
		note_connection(r, value);
	if (netproxy_is_hop_header(name))
		return true;
	if (g_ascii_strcasecmp(name, "Location") == 0 && !r->location)
		r->location = g_strdup(value);
	g_ptr_array_add(r->headers, g_steal_pointer(&name));
	g_ptr_array_add(r->headers, g_steal_pointer(&value));
	return true;
}

bool netproxy_response_line(struct netproxy_response *r, const char *line, size_t n, GError **error)
{
	r->bytes += n;
	if (r->bytes > (size_t)LIMIT_HEADER_BYTES)
		return error_set(error, ERROR_RESOURCE_EXHAUSTED, "headers of the response are larger than %lld bytes",
				 LIMIT_HEADER_BYTES);
	while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r'))
		n--;
	if (n >= 5 && memcmp(line, "HTTP/", 5) == 0)
		return begin(r, line, n, error);
	if (!r->headers)
		return malformed(error);
	return n == 0 || add(r, line, n, error);
}

bool netproxy_response_finish(struct netproxy_response *r, bool is_head, GError **error)
{
	g_auto(GStrv) options = g_strsplit(r->connection ? r->connection : "", ",", -1);
	if (!r->headers || r->status == 101)
		return malformed(error);
	r->is_interim = r->status < 200;
	r->has_body = !is_head && r->status != 204 && r->status != 304;
	for (char **o = options; *o; o++) {
		g_strstrip(*o);
		for (guint i = 0; i + 1 < r->headers->len;) {
			if (g_ascii_strcasecmp(r->headers->pdata[i], *o) == 0)
				g_ptr_array_remove_range(r->headers, i, 2);
			else
				i += 2;
		}
	}
	/* The encoding determines where the body ends (RFC 9112, 6.3). */
	if (r->is_encoded)
		r->size = -1;
	return true;
}

char *netproxy_response_head(const struct netproxy_response *r, bool chunked, bool close)
{
	GString *head = g_string_new(NULL);
	g_string_append_printf(head, "HTTP/1.1 %d %s\r\n", r->status, r->reason);
	for (guint i = 0; i + 1 < r->headers->len; i += 2)
		g_string_append_printf(head, "%s: %s\r\n", (const char *)r->headers->pdata[i],
				       (const char *)r->headers->pdata[i + 1]);
	if (r->size >= 0 && r->status != 204)
		g_string_append_printf(head, "Content-Length: %" G_GINT64_FORMAT "\r\n", r->size);
	if (chunked)
		g_string_append(head, "Transfer-Encoding: chunked\r\n");
	if (close)
		g_string_append(head, "Connection: close\r\n");
	g_string_append(head, "\r\n");
	return g_string_free(head, FALSE);
}
