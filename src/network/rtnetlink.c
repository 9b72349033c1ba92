/* SPDX-License-Identifier: Apache-2.0 */
#include "network/rtnetlink.h"
#include "base/scope.h"
#include <arpa/inet.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

/* A request in the making. Names are at most IFNAMSIZ bytes long, so that it always fits. */
struct request {
	union {
		struct nlmsghdr header;
		char bytes[1024];
	};
};

static void *append(struct request *r, const void *bytes, size_t n)
{
	void *at = r->bytes + NLMSG_ALIGN(r->header.nlmsg_len);
	if (n > 0)
		memcpy(at, bytes, n);
	r->header.nlmsg_len = (uint32_t)(NLMSG_ALIGN(r->header.nlmsg_len) + n);
	return at;
}

static void add_attribute(struct request *r, unsigned short type, const void *bytes, size_t n)
{
	const struct rtattr attribute = {.rta_type = type, .rta_len = (unsigned short)RTA_LENGTH(n)};
	append(r, &attribute, sizeof attribute);
	append(r, bytes, n);
}

static struct rtattr *begin(struct request *r, unsigned short type)
{
	const struct rtattr attribute = {.rta_type = type};
	return append(r, &attribute, sizeof attribute);
}

static void end(const struct request *r, struct rtattr *attribute)
{
	attribute->rta_len = (unsigned short)(r->bytes + r->header.nlmsg_len - (const char *)attribute);
}

static void init(struct request *r, unsigned short type)
{
	*r = (struct request){.header = {
				      .nlmsg_len = sizeof r->header,
				      .nlmsg_type = type,
				      .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL,
				      .nlmsg_seq = 1,
			      }};
}

/* Sends the request and waits for its acknowledgement; returns its errno. */
static int execute(const struct request *r)
{
	union {
		struct nlmsghdr header;
		char bytes[4096];
	} reply;
	scoped_fd fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (fd < 0 || send(fd, r, r->header.nlmsg_len, 0) < 0)
		return errno;
	ssize_t n;
	do
		n = recv(fd, &reply, sizeof reply, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno;
	if (n < (ssize_t)NLMSG_LENGTH(sizeof(struct nlmsgerr)) || reply.header.nlmsg_type != NLMSG_ERROR)
		return EPROTO;
	return -((const struct nlmsgerr *)NLMSG_DATA(&reply.header))->error;
}

static bool check_name(const char *name, GError **error)
{
	return (*name != '\0' && strlen(name) < IFNAMSIZ && !strchr(name, '/')) ||
	       error_set(error, ERROR_INVALID_ARGUMENT, "invalid interface name \"%s\"", name);
}

bool rtnetlink_add_veth(const char *name, const char *peer, GError **error)
{
	const struct ifinfomsg link = {.ifi_family = AF_UNSPEC};
	struct request r;
	if (!check_name(name, error) || !check_name(peer, error))
		return false;
	init(&r, RTM_NEWLINK);
	append(&r, &link, sizeof link);
	add_attribute(&r, IFLA_IFNAME, name, strlen(name) + 1);
	struct rtattr *info = begin(&r, IFLA_LINKINFO);
	add_attribute(&r, IFLA_INFO_KIND, "veth", sizeof "veth");
	struct rtattr *data = begin(&r, IFLA_INFO_DATA);
	struct rtattr *other = begin(&r, VETH_INFO_PEER);
	append(&r, &link, sizeof link);
	add_attribute(&r, IFLA_IFNAME, peer, strlen(peer) + 1);
	end(&r, other);
	end(&r, data);
	end(&r, info);
	int errnum = execute(&r);
	return errnum == 0 || error_set_errno(error, errnum, "create interface %s", name);
}

/* "10.0.0.2/16" to bytes; returns the family, or AF_UNSPEC. */
static int parse_address(const char *text, void *ret_bytes, uint8_t *ret_prefix)
{
	g_auto(GStrv) parts = g_strsplit(text, "/", 3);
	int family = strchr(text, ':') ? AF_INET6 : AF_INET;
	guint64 prefix;
	if (g_strv_length(parts) != 2 || inet_pton(family, parts[0], ret_bytes) != 1 ||
	    !g_ascii_string_to_unsigned(parts[1], 10, 0, family == AF_INET ? 32 : 128, &prefix, NULL))
		return AF_UNSPEC;
	*ret_prefix = (uint8_t)prefix;
	return family;
}

bool rtnetlink_add_address(const char *name, const char *address, GError **error)
{
	unsigned char bytes[sizeof(struct in6_addr)];
	struct ifaddrmsg m = {.ifa_index = if_nametoindex(name)};
	struct request r;
	int family = parse_address(address, bytes, &m.ifa_prefixlen);
	if (family == AF_UNSPEC)
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid address \"%s\"", address);
	size_t n = family == AF_INET ? sizeof(struct in_addr) : sizeof(struct in6_addr);
	m.ifa_family = (uint8_t)family;
	init(&r, RTM_NEWADDR);
	append(&r, &m, sizeof m);
	add_attribute(&r, IFA_LOCAL, bytes, n);
	add_attribute(&r, IFA_ADDRESS, bytes, n);
	int errnum = execute(&r);
	return errnum == 0 || error_set_errno(error, errnum, "add address %s to %s", address, name);
}
