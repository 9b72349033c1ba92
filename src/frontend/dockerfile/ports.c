/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/dockerfile/ports.h"
#include "format/gotype.h"
#include "frontend/dockerfile/text.h"
#include <arpa/inet.h>
#include <string.h>

static bool parse_port(const char *text, size_t n, unsigned *ret)
{
	unsigned value = 0;
	if (n && *text == '+') { /* accepts a sign, like Go */
		text++;
		n--;
	}
	if (!n)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!g_ascii_isdigit(text[i]))
			return false;
		value = value * 10 + (unsigned)(text[i] - '0');
		if (value > 65535)
			return false;
	}
	*ret = value;
	return true;
}

static bool parse_range(const char *text, unsigned *ret_first, unsigned *ret_last)
{
	const char *dash = strchr(text, '-');
	if (!dash) {
		if (!parse_port(text, strlen(text), ret_first))
			return false;
		*ret_last = *ret_first;
		return true;
	}
	return parse_port(text, (size_t)(dash - text), ret_first) && parse_port(dash + 1, strlen(dash + 1), ret_last) &&
	       *ret_last >= *ret_first;
}

/* The last part is the container port, the one before it the host port, and the rest an IP address. */
static void split_parts(arena *a, const char *text, const char **ret_ip, const char **ret_host, const char **ret_port)
{
	*ret_ip = *ret_host = "";
	const char *last = strrchr(text, ':');
	*ret_port = last ? last + 1 : text;
	if (!last)
		return;
	const char *front = arena_strndup(a, text, (size_t)(last - text));
	const char *middle = strrchr(front, ':');
	*ret_host = middle ? middle + 1 : front;
	if (middle)
		*ret_ip = arena_strndup(a, front, (size_t)(middle - front));
}

static bool is_ip(arena *a, const char *ip)
{
	size_t n = strlen(ip);
	if (ip[0] == '[' && ip[n - 1] == ']')
		ip = arena_strndup(a, ip + 1, n - 2);
	unsigned char address[16];
	return inet_pton(AF_INET, ip, address) == 1 || inet_pton(AF_INET6, ip, address) == 1;
}

static bool bad_port(const char *raw, const char *why, const char *what, GError **error)
{
	g_autofree char *quoted = go_quote(raw);
	return error_set(error, ERROR_INVALID_ARGUMENT, "invalid port: %s: %s%s", quoted, why, what);
}

bool ports_parse(arena *a, const char *raw, struct ports *ret, GError **error)
{
	const char *ip, *host, *port, *proto = "tcp";
	split_parts(a, raw, &ip, &host, &port);
	const char *slash = strchr(port, '/');
	if (slash && slash[1])
		proto = slash + 1;
	if (slash)
		port = arena_strndup(a, port, (size_t)(slash - port));
	const char *lower = text_lower(a, proto);
	if (!*port)
		return bad_port(raw, "no port specified", "", error);
	if (strcmp(lower, "tcp") != 0 && strcmp(lower, "udp") != 0 && strcmp(lower, "sctp") != 0)
		return bad_port(raw, "invalid proto: ", proto, error);
	ret->upper_case = strcmp(lower, proto) != 0;
	ret->host_mapping = *ip || *host;
	if (*ip && !is_ip(a, ip))
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid IP address: %s", ip);
	unsigned first, last, host_first = 0, host_last = 0;
	if (!parse_range(port, &first, &last))
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid containerPort: %s", port);
	if (*host && !parse_range(host, &host_first, &host_last))
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid hostPort: %s", host);
	if (*host && last - first != host_last - host_first && last != first)
		return error_set(error, ERROR_INVALID_ARGUMENT,
				 "invalid ranges specified for container and host Ports: %s and %s", port, host);
	for (unsigned p = first; p <= last; p++)
		arena_push(a, &ret->list, arena_printf(a, "%u/%s", p, lower));
	return true;
}
