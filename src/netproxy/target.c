/* SPDX-License-Identifier: Apache-2.0 */
#include "netproxy/target.h"
#include "base/secret.h"
#include <arpa/inet.h>
#include <string.h>

#define HOST_MAX 253
#define LABEL_MAX 63

void netproxy_target_clear(struct netproxy_target *t)
{
	secret_clear(&t->userinfo);
	g_clear_pointer(&t->host, g_free);
	g_clear_pointer(&t->path, g_free);
}

/* ---- hosts */

static bool is_name_byte(char c)
{
	return g_ascii_isalnum(c) || c == '-' || c == '_';
}

/* Resolvers take a name whose last label is a number for an IPv4 address in one of several forms. */
static bool looks_like_address(const char *host)
{
	const char *dot = strrchr(host, '.'), *last = dot ? dot + 1 : host;
	if (last[0] == '0' && (last[1] == 'x' || last[1] == 'X'))
		return true;
	return last[strspn(last, "0123456789")] == '\0';
}

static char *name_read(const char *text, size_t n, GError **error)
{
	if (n > 0 && text[n - 1] == '.')
		n--;
	size_t label = 0;
	bool valid = n > 0 && n <= HOST_MAX;
	for (size_t i = 0; valid && i <= n; i++) {
		if (i < n && text[i] != '.') {
			label++;
			valid = is_name_byte(text[i]);
			continue;
		}
		valid = label > 0 && label <= LABEL_MAX;
		label = 0;
	}
	if (!valid)
		return error_null(error, ERROR_INVALID_ARGUMENT, "invalid host name");
	g_autofree char *host = g_ascii_strdown(text, (gssize)n);
	struct in_addr address;
	if (looks_like_address(host) && inet_pton(AF_INET, host, &address) != 1)
		return error_null(error, ERROR_INVALID_ARGUMENT, "invalid IPv4 address");
	return g_steal_pointer(&host);
}

static char *address_read(const char *text, size_t n, GError **error)
{
	g_autofree char *copy = g_strndup(text, n);
	char shown[INET6_ADDRSTRLEN];
	struct in6_addr address;
	if (strlen(copy) != n || inet_pton(AF_INET6, copy, &address) != 1)
		return error_null(error, ERROR_INVALID_ARGUMENT, "invalid IPv6 address");
	bool is_local = IN6_IS_ADDR_UNSPECIFIED(&address) || IN6_IS_ADDR_LOOPBACK(&address);
	if (IN6_IS_ADDR_V4MAPPED(&address) || (!is_local && IN6_IS_ADDR_V4COMPAT(&address)))
		return error_null(error, ERROR_INVALID_ARGUMENT, "IPv6 address contains an IPv4 address");
	return g_strdup(inet_ntop(AF_INET6, &address, shown, sizeof shown));
}

/* "host", "host:port", "[address]:port". port: the default, 0: one is required. */
static bool authority_read(const char *text, size_t n, uint16_t port, struct netproxy_target *ret, GError **error)
{
	const char *end, *limit = text + n;
	bool is_bracketed = n > 0 && text[0] == '[';
	if (is_bracketed)
		end = memchr(text, ']', n);
	else
		end = n > 0 ? memchr(text, ':', n) : NULL;
	if (is_bracketed && !end)
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid IPv6 address");
	const char *rest = is_bracketed ? end + 1 : end ? end : limit;
	g_autofree char *host = is_bracketed ? address_read(text + 1, (size_t)(end - text) - 1, error)
					     : name_read(text, (size_t)(rest - text), error);
	if (!host)
		return false;
	guint64 number = port;
	if (rest < limit) {
		g_autofree char *digits = g_strndup(rest + 1, (size_t)(limit - rest) - 1);
		if (*rest != ':' || strlen(digits) != (size_t)(limit - rest) - 1 ||
		    !g_ascii_string_to_unsigned(digits, 10, 1, UINT16_MAX, &number, NULL))
			return error_set(error, ERROR_INVALID_ARGUMENT, "invalid port");
	} else if (port == 0) {
		return error_set(error, ERROR_INVALID_ARGUMENT, "missing port");
	}
	g_free(ret->host);
	ret->host = g_steal_pointer(&host);
	ret->port = (uint16_t)number;
	return true;
}

/* ---- paths */

static bool is_dot(const char *p)
{
	return p[0] == '.';
}

/* Length of "." or "%2e" at p; 0: none. */
static size_t dot_length(const char *p)
{
	if (is_dot(p))
		return 1;
	return p[0] == '%' && p[1] == '2' && (p[2] == 'e' || p[2] == 'E') ? 3 : 0;
}

/* Number of dots if the segment at p (n bytes) consists of one or two of them; else 0. */
static unsigned dots_of(const char *p, size_t n)
{
	unsigned dots = 0;
	size_t at = 0;
	while (at < n && dots < 3) {
		size_t length = dot_length(p + at);
		if (length == 0 || at + length > n)
			return 0;
		at += length;
		dots++;
	}
	return dots < 3 ? dots : 0;
}

/* RFC 3986, 5.2.4. */
static char *remove_dots(const char *path)
{
	GString *out = g_string_new(NULL);
	for (const char *p = path; *p == '/';) {
		size_t n = strcspn(p + 1, "/");
		unsigned dots = dots_of(p + 1, n);
		bool last = p[1 + n] == '\0';
		if (dots == 2) {
			const char *slash = strrchr(out->str, '/');
			g_string_truncate(out, slash ? (gsize)(slash - out->str) : 0);
		}
		if (dots == 0)
			g_string_append_len(out, p, (gssize)n + 1);
		else if (last)
			g_string_append_c(out, '/');
		p += n + 1;
	}
	return g_string_free(out, FALSE);
}

bool netproxy_target_set_path(struct netproxy_target *t, const char *text, size_t n, GError **error)
{
	for (size_t i = 0; i < n; i++)
		if (text[i] <= ' ' || text[i] >= 0x7f || text[i] == '#' || text[i] == '\\')
			return error_set(error, ERROR_INVALID_ARGUMENT, "invalid character in the request target");
	if (n > 0 && text[0] != '/' && text[0] != '?')
		return error_set(error, ERROR_INVALID_ARGUMENT, "request target is not a path");
	g_autofree char *all = g_strndup(text, n);
	size_t path_n = strcspn(all, "?");
	g_autofree char *path = path_n > 0 ? g_strndup(all, path_n) : g_strdup("/");
	g_autofree char *clean = remove_dots(path);
	g_free(t->path);
	t->path = g_strconcat(clean, all + path_n, NULL);
	return true;
}

/* ---- addresses */

static bool userinfo_check(const char *text, size_t n, GError **error)
{
	for (size_t i = 0; i < n; i++)
		if (!g_ascii_isalnum(text[i]) && (text[i] == '\0' || !strchr("-._~:!$&'()*+,;=%", text[i])))
			return error_set(error, ERROR_INVALID_ARGUMENT, "invalid credentials in the request target");
	return true;
}

bool netproxy_target_parse(const char *text, size_t n, struct netproxy_target *ret, GError **error)
{
	static const char *const schemes[] = {"http://", "https://"};
	g_auto(netproxy_target) t = {0};
	size_t prefix = 0;
	for (int i = 0; i < 2; i++) {
		size_t length = strlen(schemes[i]);
		if (n < length || g_ascii_strncasecmp(text, schemes[i], length) != 0)
			continue;
		prefix = length;
		t.is_https = i == 1;
	}
	if (prefix == 0)
		return error_set(error, ERROR_INVALID_ARGUMENT, "address is neither http nor https");
	const char *authority = text + prefix, *limit = text + n, *end = authority;
	while (end < limit && *end != '/' && *end != '?' && *end != '#')
		end++;
	const char *at = memrchr(authority, '@', (size_t)(end - authority));
	if (at) {
		if (!userinfo_check(authority, (size_t)(at - authority), error))
			return false;
		t.userinfo = g_strndup(authority, (size_t)(at - authority));
		authority = at + 1;
	}
	if (!authority_read(authority, (size_t)(end - authority), t.is_https ? 443 : 80, &t, error) ||
	    !netproxy_target_set_path(&t, end, (size_t)(limit - end), error))
		return false;
	*ret = t;
	t = (struct netproxy_target){0};
	return true;
}

bool netproxy_target_parse_authority(const char *text, size_t n, struct netproxy_target *ret, GError **error)
{
	struct netproxy_target t = {.is_https = true};
	if (!authority_read(text, n, 0, &t, error))
		return false;
	*ret = t;
	return true;
}

bool netproxy_target_is_host(const struct netproxy_target *t, const char *value)
{
	g_auto(netproxy_target) other = {0};
	return authority_read(value, strlen(value), t->is_https ? 443 : 80, &other, NULL) && other.port == t->port &&
	       strcmp(other.host, t->host) == 0;
}

char *netproxy_target_authority(const struct netproxy_target *t)
{
	bool is_default = t->port == (t->is_https ? 443 : 80);
	g_autofree char *port = is_default ? g_strdup("") : g_strdup_printf(":%u", t->port);
	return g_strdup_printf(strchr(t->host, ':') ? "[%s]%s" : "%s%s", t->host, port);
}

char *netproxy_target_url(const struct netproxy_target *t)
{
	g_autofree char *authority = netproxy_target_authority(t);
	return g_strconcat(t->is_https ? "https://" : "http://", authority, t->path ? t->path : "/", NULL);
}

static int escaped_byte(const char *p)
{
	if (p[0] != '%' || !g_ascii_isxdigit(p[1]) || !g_ascii_isxdigit(p[2]))
		return -1;
	return g_ascii_xdigit_value(p[1]) << 4 | g_ascii_xdigit_value(p[2]);
}

char *netproxy_target_policy_url(const struct netproxy_target *t)
{
	g_autofree char *url = netproxy_target_url(t);
	GString *out = g_string_new(NULL);
	for (const char *p = url; *p; p++) {
		int byte = escaped_byte(p);
		if (byte < 0)
			g_string_append_c(out, *p);
		else if (byte < 0x80 && byte != 0 && (g_ascii_isalnum(byte) || strchr("-._~", byte)))
			g_string_append_c(out, (char)byte);
		else
			g_string_append_printf(out, "%%%02X", (unsigned)byte);
		p += byte < 0 ? 0 : 2;
	}
	return g_string_free(out, FALSE);
}

char *netproxy_target_authorization(const struct netproxy_target *t)
{
	if (!t->userinfo)
		return NULL;
	GString *plain = g_string_new(NULL);
	for (const char *p = t->userinfo; *p; p++) {
		int byte = escaped_byte(p);
		g_string_append_c(plain, byte < 0 ? *p : (char)byte);
		p += byte < 0 ? 0 : 2;
	}
	if (!strchr(t->userinfo, ':'))
		g_string_append_c(plain, ':');
	scoped_secret encoded = g_base64_encode((const guchar *)plain->str, plain->len);
	explicit_bzero(plain->str, plain->len);
	g_string_free(plain, TRUE);
	return g_strconcat("Basic ", encoded, NULL);
}
