/* SPDX-License-Identifier: Apache-2.0 */
#include "network/subnet.h"
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <string.h>

struct subnet {
	int family;
	unsigned prefix;
	uint8_t bytes[sizeof(struct in6_addr)];
};

static bool parse(const char *text, struct subnet *ret)
{
	g_auto(GStrv) parts = g_strsplit(text, "/", 3);
	guint64 prefix;
	ret->family = strchr(text, ':') ? AF_INET6 : AF_INET;
	if (g_strv_length(parts) != 2 || inet_pton(ret->family, parts[0], ret->bytes) != 1 ||
	    !g_ascii_string_to_unsigned(parts[1], 10, 0, ret->family == AF_INET ? 32 : 128, &prefix, NULL))
		return false;
	ret->prefix = (unsigned)prefix;
	return true;
}

static const void *bytes_of(const struct sockaddr *address)
{
	return address->sa_family == AF_INET
		       ? (const void *)&((const struct sockaddr_in *)(const void *)address)->sin_addr
		       : &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
}

static bool from_interface(const struct ifaddrs *i, struct subnet *ret)
{
	int family = i->ifa_addr && i->ifa_netmask ? i->ifa_addr->sa_family : AF_UNSPEC;
	if (family != AF_INET && family != AF_INET6)
		return false;
	size_t n = family == AF_INET ? sizeof(struct in_addr) : sizeof(struct in6_addr);
	uint8_t mask[sizeof(struct in6_addr)];
	*ret = (struct subnet){.family = family};
	memcpy(ret->bytes, bytes_of(i->ifa_addr), n);
	memcpy(mask, bytes_of(i->ifa_netmask), n);
	while (ret->prefix < n * 8 && (mask[ret->prefix / 8] & 0x80u >> ret->prefix % 8) != 0)
		ret->prefix++;
	return true;
}

static bool bit_of(const struct subnet *s, unsigned i)
{
	return (s->bytes[i / 8] & 0x80u >> i % 8) != 0;
}

static bool overlap(const struct subnet *a, const struct subnet *b)
{
	if (a->family != b->family)
		return false;
	for (unsigned i = 0; i < MIN(a->prefix, b->prefix); i++)
		if (bit_of(a, i) != bit_of(b, i))
			return false;
	return true;
}

static char *format(struct subnet s, const char *interface)
{
	char text[INET6_ADDRSTRLEN];
	for (unsigned i = s.prefix; i < (s.family == AF_INET ? 32 : 128); i++)
		s.bytes[i / 8] &= (uint8_t) ~(0x80u >> i % 8);
	inet_ntop(s.family, s.bytes, text, sizeof text);
	return g_strdup_printf("%s/%u of %s", text, s.prefix, interface);
}

char *network_overlap(const char *subnet, const char *except)
{
	struct subnet wanted, one;
	struct ifaddrs *list;
	char *text = NULL;
	if (!parse(subnet, &wanted) || getifaddrs(&list) != 0)
		return NULL;
	for (const struct ifaddrs *i = list; i && !text; i = i->ifa_next)
		if (strcmp(i->ifa_name, except) != 0 && from_interface(i, &one) && overlap(&wanted, &one))
			text = format(one, i->ifa_name);
	freeifaddrs(list);
	return text;
}
