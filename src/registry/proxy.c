/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/proxy.h"
#include <arpa/inet.h>
#include <string.h>

#define BITS_V4 32
#define BITS_V6 128

struct address {
	bool is_v6;
	uint8_t bytes[16];
};

enum rule_kind { RULE_ALL, RULE_PREFIX, RULE_ADDRESS, RULE_DOMAIN };

/* One entry of NO_PROXY. */
struct rule {
	enum rule_kind kind;
	struct address address;
	unsigned prefix_bits;
	char *domain; /* owned: begins with a dot */
	bool subdomains_only;
	char *port; /* owned; NULL: any */
};

struct proxy_config {
	char *http, *https; /* owned; NULL: none */
	bool cgi;
	GArray *rules; /* of struct rule */
};

/* ---- addresses */

/* Converts an IPv4 address in IPv6 form to the IPv4 address. */
static bool address_read(const char *text, struct address *ret)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	struct address a = {0};
	g_autofree char *bare = g_strndup(text, strcspn(text, "%")); /* without the zone */
	if (inet_pton(AF_INET, text, a.bytes) == 1) {
		*ret = a;
		return true;
	}
	if (inet_pton(AF_INET6, bare, a.bytes) != 1)
		return false;
	a.is_v6 = memcmp(a.bytes, mapped, sizeof mapped) != 0;
	if (!a.is_v6)
		memmove(a.bytes, a.bytes + sizeof mapped, 4);
	*ret = a;
	return true;
}

static bool address_is_loopback(const struct address *a)
{
	static const uint8_t loopback[16] = {[15] = 1};
	return a->is_v6 ? memcmp(a->bytes, loopback, sizeof loopback) == 0 : a->bytes[0] == 127;
}

static bool prefix_covers(const struct address *prefix, unsigned bits, const struct address *a)
{
	if (prefix->is_v6 != a->is_v6)
		return false;
	for (unsigned i = 0; i < bits; i++) {
		unsigned mask = 0x80u >> (i % 8);
		if ((prefix->bytes[i / 8] & mask) != (a->bytes[i / 8] & mask))
			return false;
	}
	return true;
}

/* ---- NO_PROXY */

static void rule_clear(gpointer data)
{
	struct rule *r = data;
	g_free(r->domain);
	g_free(r->port);
}

static bool prefix_read(const char *text, struct rule *ret)
{
	const char *slash = strchr(text, '/');
	if (!slash)
		return false;
	g_autofree char *address = g_strndup(text, (gsize)(slash - text));
	struct rule r = {.kind = RULE_PREFIX};
	guint64 bits;
	bool is_v6 = strchr(address, ':') != NULL;
	if (!address_read(address, &r.address) ||
	    !g_ascii_string_to_unsigned(slash + 1, 10, 0, is_v6 ? BITS_V6 : BITS_V4, &bits, NULL))
		return false;
	if (is_v6 && !r.address.is_v6) /* an IPv4 prefix in IPv6 form */
		bits = bits > BITS_V6 - BITS_V4 ? bits - (BITS_V6 - BITS_V4) : 0;
	r.prefix_bits = (unsigned)bits;
	*ret = r;
	return true;
}

/* Splits "host:port" and "[v6]:port"; any other text is a host. NULL: the entry is ignored. */
static char *host_split(const char *text, char **ret_port)
{
	const char *colon = strrchr(text, ':');
	*ret_port = NULL;
	bool has_port =
		text[0] == '[' ? colon && colon > text && colon[-1] == ']' : colon && colon == strchr(text, ':');
	if (!has_port)
		return *text ? g_strdup(text) : NULL;
	bool is_bracketed = text[0] == '[';
	char *host = g_strndup(text + is_bracketed, (gsize)(colon - text) - 2 * is_bracketed);
	if (!*host) {
		g_free(host);
		return NULL;
	}
	*ret_port = colon[1] ? g_strdup(colon + 1) : NULL;
	return host;
}

static char *domain_ascii(const char *name)
{
	char *ascii = g_str_is_ascii(name) ? NULL : g_hostname_to_ascii(name);
	return ascii ? ascii : g_strdup(name);
}

static bool rule_read(const char *text, struct rule *ret)
{
	if (prefix_read(text, ret))
		return true;
	struct rule r = {0};
	g_autofree char *port = NULL;
	g_autofree char *host = host_split(text, &port);
	if (!host)
		return false;
	r.kind = RULE_ADDRESS;
	if (!address_read(host, &r.address)) {
		const char *name = g_str_has_prefix(host, "*.") ? host + 1 : host;
		r.kind = RULE_DOMAIN;
		r.subdomains_only = name[0] == '.';
		g_autofree char *ascii = domain_ascii(r.subdomains_only ? name + 1 : name);
		r.domain = g_strconcat(".", ascii, NULL);
	}
	r.port = g_steal_pointer(&port);
	*ret = r;
	return true;
}

static void rules_read(GArray *rules, const char *no_proxy)
{
	g_auto(GStrv) list = g_strsplit(no_proxy ? no_proxy : "", ",", -1);
	for (char **entry = list; *entry; entry++) {
		g_autofree char *text =
			g_utf8_validate(*entry, -1, NULL) ? g_utf8_strdown(*entry, -1) : g_strdup(*entry);
		g_strstrip(text);
		struct rule r;
		if (g_str_equal(text, "*")) {
			g_array_set_size(rules, 0);
			r = (struct rule){.kind = RULE_ALL};
			g_array_append_val(rules, r);
			return;
		}
		if (*text && rule_read(text, &r))
			g_array_append_val(rules, r);
	}
}

static bool rule_matches(const struct rule *r, const char *host, const struct address *address, const char *port)
{
	bool right_port = !r->port || g_str_equal(r->port, port);
	switch (r->kind) {
	case RULE_ALL:
		return true;
	case RULE_PREFIX:
		return address && prefix_covers(&r->address, r->prefix_bits, address);
	case RULE_ADDRESS:
		return address && right_port &&
		       prefix_covers(&r->address, r->address.is_v6 ? BITS_V6 : BITS_V4, address);
	case RULE_DOMAIN:
		return !address && right_port &&
		       (g_str_has_suffix(host, r->domain) || (!r->subdomains_only && g_str_equal(host, r->domain + 1)));
	}
	return false;
}

/* ---- configuration */

/*
 * A bare "host:port" is an http proxy. In Go a SOCKS proxy resolves names; with "socks5" libcurl would resolve them
 * itself.
 */
static char *proxy_address(const char *text)
{
	if (!text || !*text)
		return NULL;
	if (g_ascii_strncasecmp(text, "socks5://", strlen("socks5://")) == 0)
		return g_strconcat("socks5h", text + strlen("socks5"), NULL);
	return strstr(text, "://") ? g_strdup(text) : g_strconcat("http://", text, NULL);
}

proxy_config *proxy_config_new(const char *http, const char *https, const char *no_proxy, bool cgi)
{
	proxy_config *p = g_new0(proxy_config, 1);
	p->http = proxy_address(http);
	p->https = proxy_address(https);
	p->cgi = cgi;
	p->rules = g_array_new(FALSE, FALSE, sizeof(struct rule));
	g_array_set_clear_func(p->rules, rule_clear);
	rules_read(p->rules, no_proxy);
	return p;
}

void proxy_config_free(proxy_config *p)
{
	if (!p)
		return;
	g_free(p->http);
	g_free(p->https);
	g_array_unref(p->rules);
	g_free(p);
}

static const char *environment_any(const char *first, const char *second)
{
	const char *value = g_getenv(first);
	return value && *value ? value : g_getenv(second);
}

const proxy_config *proxy_from_environment(void)
{
	static gsize once;
	if (g_once_init_enter(&once)) {
		const char *cgi = g_getenv("REQUEST_METHOD");
		proxy_config *p = proxy_config_new(environment_any("HTTP_PROXY", "http_proxy"),
						   environment_any("HTTPS_PROXY", "https_proxy"),
						   environment_any("NO_PROXY", "no_proxy"), cgi && *cgi);
		g_once_init_leave(&once, (gsize)p);
	}
	return (const proxy_config *)once;
}

bool proxy_find(const proxy_config *p, const struct http_url *url, char **ret_proxy, GError **error)
{
	const char *proxy = url->is_https ? p->https : p->http;
	*ret_proxy = NULL;
	if (proxy && !url->is_https && p->cgi)
		return error_set(error, ERROR_FAILED_PRECONDITION,
				 "refusing to use HTTP_PROXY value in CGI environment; see golang.org/s/cgihttpproxy");
	if (!proxy || g_str_equal(url->host, "localhost"))
		return true;
	struct address a;
	bool is_address = address_read(url->host, &a);
	if (is_address && address_is_loopback(&a))
		return true;
	g_autofree char *host = domain_ascii(url->host);
	char port[16];
	g_snprintf(port, sizeof port, "%d", url->port);
	for (guint i = 0; i < p->rules->len; i++)
		if (rule_matches(&g_array_index(p->rules, struct rule, i), host, is_address ? &a : NULL, port))
			return true;
	*ret_proxy = g_strdup(proxy);
	return true;
}
