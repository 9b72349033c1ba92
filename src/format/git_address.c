/* SPDX-License-Identifier: Apache-2.0 */
#include "format/git_address.h"
#include <string.h>

#define ADDRESS_MAX 4096

static const char *const schemes[] = {"http", "https", "ssh", "git", NULL};

void git_address_clear(git_address *a)
{
	g_free(a->scheme);
	g_free(a->user_info);
	g_free(a->host);
	g_free(a->path);
	g_free(a->query);
	g_free(a->fragment);
	g_free(a->remote);
	*a = (git_address){0};
}

/* Terminates text at the first `at` and returns the rest, or NULL. */
static char *cut(char *text, char at)
{
	char *found = strchr(text, at);
	if (!found)
		return NULL;
	*found = '\0';
	return found + 1;
}

static char *unescape(const char *text)
{
	char *plain = g_uri_unescape_string(text, NULL);
	return plain ? plain : g_strdup(text);
}

static bool has_control(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7F)
			return true;
	return false;
}

/* scheme://[user@]host/path */
static bool parse_url(const char *text, size_t scheme_len, git_address *ret)
{
	if (has_control(text))
		return false;
	g_autofree char *rest = g_strdup(text + scheme_len + 3);
	char *fragment = cut(rest, '#');
	char *query = cut(rest, '?');
	size_t authority = strcspn(rest, "/");
	g_autofree char *host = g_strndup(rest, authority);
	if (strchr(host, ' '))
		return false;
	char *at = strrchr(host, '@');
	ret->scheme = g_ascii_strdown(text, (gssize)scheme_len);
	ret->user_info = at ? g_strndup(host, (size_t)(at - host)) : NULL;
	ret->host = g_strdup(at ? at + 1 : host);
	ret->path = unescape(rest + authority);
	ret->query = g_strdup(query);
	ret->fragment = fragment ? unescape(fragment) : NULL;
	ret->remote = g_strdup_printf("%s://%s", ret->scheme, rest);
	return true;
}

static size_t span(const char *text, const char *extra)
{
	size_t n = 0;
	while (g_ascii_isalnum(text[n]) || (text[n] && strchr(extra, text[n])))
		n++;
	return n;
}

/* user@host:path, as git and ssh interpret it: git@github.com:a/b.git */
static bool parse_scp(const char *text, git_address *ret)
{
	size_t user = span(text, "-_");
	size_t host = user > 0 && text[user] == '@' ? span(text + user + 1, "-.") : 0;
	if (host == 0 || text[user + 1 + host] != ':')
		return false;
	g_autofree char *front = g_strdup(text);
	char *fragment = cut(front, '#');
	char *query = cut(front, '?');
	if (!front[user + host + 2])
		return false;
	ret->scheme = g_strdup("ssh");
	ret->user_info = g_strndup(front, user);
	ret->host = g_strndup(front + user + 1, host);
	ret->path = g_strdup(front + user + host + 2);
	ret->query = g_strdup(query);
	ret->fragment = g_strdup(fragment);
	ret->remote = g_steal_pointer(&front);
	ret->scp = true;
	return true;
}

bool git_address_parse(const char *text, git_address *ret)
{
	size_t n = span(text, "");
	if (n == 0 || !g_str_has_prefix(text + n, "://"))
		return parse_scp(text, ret);
	g_autofree char *scheme = g_ascii_strdown(text, (gssize)n);
	return g_strv_contains(schemes, scheme) && parse_url(text, n, ret);
}

/* NAME[:PORT] or [IPV6][:PORT] */
static bool host_is_safe(const char *host)
{
	size_t n = *host == '[' ? 1 + strspn(host + 1, "0123456789abcdefABCDEF:.%") : span(host, "-._~%");
	if (*host == '[' && host[n++] != ']')
		return false;
	if (n == 0 || *host == '-')
		return false;
	return host[n] == '\0' || (host[n] == ':' && host[n + 1 + strspn(host + n + 1, "0123456789")] == '\0');
}

bool git_address_is_safe(const git_address *a)
{
	if (strlen(a->remote) > ADDRESS_MAX || has_control(a->remote) || strchr(a->remote, ' ') || has_control(a->path))
		return false;
	return host_is_safe(a->host) && *a->path != '-' && (!a->user_info || *a->user_info != '-');
}
