/* SPDX-License-Identifier: Apache-2.0 */
/*
 * netproxy_target: the address of a request, in one form for each server and resource, so that policies see what is
 * requested.
 *
 *	g_auto(netproxy_target) t = {0};
 *	if (!netproxy_target_parse("http://Host.:80/a/../b?q", n, &t, error)) ...       host "host", path "/b?q"
 *	g_autofree char *url = netproxy_target_url(&t);                                "http://host/b?q"
 *
 * Host: a lower-case DNS name without a final dot, a dotted IPv4 address, or an IPv6 address. What resolvers take for an
 * address in another form (octal, "0x7f.1", an IPv4 address inside IPv6) is refused. Path: without "." and ".." segments,
 * otherwise as given. Input comes from a step. Errors: INVALID_ARGUMENT. Pure. Thread: any.
 */
#pragma once
#include "base/error.h"

struct netproxy_target {
	bool is_https;
	char *userinfo; /* owned, encoded; NULL: none */
	char *host;     /* owned, without brackets */
	uint16_t port;
	char *path; /* owned: path and query; NULL: none was given (CONNECT) */
};
typedef struct netproxy_target netproxy_target;

/* Reads "http://..." or "https://...". */
bool netproxy_target_parse(const char *text, size_t n, struct netproxy_target *ret, GError **error);
/* Reads "host:port" of a CONNECT request; the scheme is https. */
bool netproxy_target_parse_authority(const char *text, size_t n, struct netproxy_target *ret, GError **error);
/* Sets the path of an address that has none, or replaces it: "/path?query". */
bool netproxy_target_set_path(struct netproxy_target *t, const char *text, size_t n, GError **error);
/* Reports whether the value of a Host header names the server of the target. */
bool netproxy_target_is_host(const struct netproxy_target *t, const char *value);
/* "host" or "host:port", with brackets if needed, and without the scheme's default port: the Host header. Owned. */
char *netproxy_target_authority(const struct netproxy_target *t);
/* The address without userinfo and default port. Owned. */
char *netproxy_target_url(const struct netproxy_target *t);
/* The same for policies: escapes of characters that need none are decoded (RFC 3986, 6.2.2). Owned. */
char *netproxy_target_policy_url(const struct netproxy_target *t);
/* "Basic ..." of the userinfo, owned; NULL: there is none. */
char *netproxy_target_authorization(const struct netproxy_target *t);
void netproxy_target_clear(struct netproxy_target *t);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(netproxy_target, netproxy_target_clear)
