/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/address.h"

enum address_kind address_parse(const char *text, const char **ret_rest, GError **error)
{
	const char *colon = strstr(text, "://");
	if (!colon) {
		error_set(error, ERROR_INVALID_ARGUMENT, "address %s does not contain proto, you meant unix://%s ?",
			  text, text);
		return ADDRESS_INVALID;
	}
	*ret_rest = colon + 3;
	if (g_str_has_prefix(text, "unix://"))
		return ADDRESS_UNIX;
	if (g_str_has_prefix(text, "tcp://"))
		return ADDRESS_TCP;
	error_set(error, ERROR_INVALID_ARGUMENT, "addr %s not supported", text);
	return ADDRESS_INVALID;
}

char *address_host(const char *host_port)
{
	const char *colon = strrchr(host_port, ':');
	if (!colon)
		return NULL;
	if (host_port[0] == '[' && colon[-1] == ']')
		return g_strndup(host_port + 1, (gsize)(colon - host_port - 2));
	return g_strndup(host_port, (gsize)(colon - host_port));
}

struct addrinfo *address_resolve(const char *host_port, bool passive, GError **error)
{
	g_autofree char *host = address_host(host_port);
	if (!host)
		return error_null(error, ERROR_INVALID_ARGUMENT, "address %s: missing port in address", host_port);
	/* getaddrinfo reduces a number modulo 65536. */
	const char *port = strrchr(host_port, ':') + 1;
	guint64 number;
	if (*port && strspn(port, "0123456789") == strlen(port) &&
	    !g_ascii_string_to_unsigned(port, 10, 0, G_MAXUINT16, &number, NULL))
		return error_null(error, ERROR_INVALID_ARGUMENT, "address %s: invalid port", port);
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = passive ? AI_PASSIVE : 0};
	struct addrinfo *list = NULL;
	int failed = getaddrinfo(*host ? host : passive ? NULL : "localhost", port, &hints, &list);
	if (!failed)
		return list;
	return error_null(error, ERROR_UNAVAILABLE, "lookup %s: %s", host_port, gai_strerror(failed));
}
