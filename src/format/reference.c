/* SPDX-License-Identifier: Apache-2.0 */
#include "format/reference.h"
#include "base/digest.h"
#include <string.h>

#define DEFAULT_DOMAIN "docker.io"
#define LEGACY_DOMAIN "index.docker.io"
#define OFFICIAL_PREFIX "library/"
#define PATH_MAX_BYTES 255
#define TAG_MAX_BYTES 128
#define DIGEST_HEX_MIN 32

void reference_free(reference *r)
{
	if (!r)
		return;
	g_free(r->domain);
	g_free(r->path);
	g_free(r->tag);
	g_free(r->digest);
	g_free(r);
}

/*
 * Hand-written matchers over [p, end) for the grammar of a reference: each returns the end of its match, or NULL.
 * Greedy matching is exact, because no part can begin with a character that may end the preceding part.
 */

static bool is_lower_alnum(char c)
{
	return g_ascii_islower(c) || g_ascii_isdigit(c);
}

static bool is_word(char c)
{
	return g_ascii_isalnum(c) || c == '_';
}

static const char *skip(const char *p, const char *end, bool (*is)(char c))
{
	while (p < end && is(*p))
		p++;
	return p;
}

static bool is_alnum_or_dash(char c)
{
	return g_ascii_isalnum(c) || c == '-';
}

static bool is_ipv6(char c)
{
	return g_ascii_isxdigit(c) || c == ':';
}

static bool is_digit(char c)
{
	return g_ascii_isdigit(c);
}

/* Labels joined by dots; no label begins or ends with a dash. */
static bool is_host_name(const char *p, const char *end)
{
	for (;;) {
		const char *label = skip(p, end, is_alnum_or_dash);
		if (label == p || *p == '-' || label[-1] == '-')
			return false;
		if (label == end)
			return true;
		if (*label != '.')
			return false;
		p = label + 1;
	}
}

/* host or [ipv6], with or without :port. */
static bool is_domain(const char *p, const char *end)
{
	const char *host_end;
	if (p < end && *p == '[') {
		const char *close = skip(p + 1, end, is_ipv6);
		if (close == p + 1 || close == end || *close != ']')
			return false;
		host_end = close + 1;
	} else {
		host_end = memchr(p, ':', (size_t)(end - p));
		if (!host_end)
			host_end = end;
		if (!is_host_name(p, host_end))
			return false;
	}
	if (host_end == end)
		return true;
	const char *port_end = skip(host_end + 1, end, is_digit);
	return *host_end == ':' && port_end == end && port_end > host_end + 1;
}

/* Separator between letters and digits: one of ".", "_", "__" or any number of "-". */
static const char *separator_end(const char *p, const char *end)
{
	if (p == end)
		return NULL;
	if (*p == '.')
		return p + 1;
	if (*p == '_')
		return p + 1 < end && p[1] == '_' ? p + 2 : p + 1;
	const char *dashes = p;
	while (dashes < end && *dashes == '-')
		dashes++;
	return dashes > p ? dashes : NULL;
}

static const char *component_end(const char *p, const char *end)
{
	const char *at = skip(p, end, is_lower_alnum);
	if (at == p)
		return NULL;
	for (;;) {
		const char *after = separator_end(at, end);
		if (!after)
			return at;
		const char *next = skip(after, end, is_lower_alnum);
		if (next == after)
			return at; /* the rest is not part of the path */
		at = next;
	}
}

static const char *path_end(const char *p, const char *end)
{
	const char *at = component_end(p, end);
	while (at && at < end && *at == '/')
		at = component_end(at + 1, end);
	return at;
}

static const char *tag_end(const char *p, const char *end)
{
	if (p == end || !is_word(*p))
		return NULL;
	const char *at = p;
	while (at < end && at - p < TAG_MAX_BYTES && (is_word(*at) || *at == '.' || *at == '-'))
		at++;
	return at;
}

/* algorithm[+_.-algorithm]...:hex, at least 32 digits. */
static bool is_digest_shape(const char *p, const char *end)
{
	for (;;) {
		if (p == end || !g_ascii_isalpha(*p))
			return false;
		while (p < end && g_ascii_isalnum(*p))
			p++;
		if (p == end)
			return false;
		if (*p == ':')
			break;
		if (!strchr("-_+.", *p))
			return false;
		p++;
	}
	const char *hex = ++p;
	while (p < end && g_ascii_isxdigit(*p))
		p++;
	return p == end && p - hex >= DIGEST_HEX_MIN;
}

/* Parses path[:tag][@digest] into r; false if the text is invalid. */
static bool remainder_read(reference *r, const char *text)
{
	const char *end = text + strlen(text);
	const char *at = path_end(text, end);
	if (!at)
		return false;
	g_autofree char *path = g_strndup(text, (gsize)(at - text));
	g_autofree char *tag = NULL, *digest = NULL;
	if (at < end && *at == ':') {
		const char *begin = at + 1;
		at = tag_end(begin, end);
		if (!at)
			return false;
		tag = g_strndup(begin, (gsize)(at - begin));
	}
	if (at < end && *at == '@') {
		if (!is_digest_shape(at + 1, end))
			return false;
		digest = g_strdup(at + 1);
		at = end;
	}
	if (at != end)
		return false;
	r->path = g_steal_pointer(&path);
	r->tag = g_steal_pointer(&tag);
	r->digest = g_steal_pointer(&digest);
	return true;
}

static bool has_upper(const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (g_ascii_isupper(text[i]))
			return true;
	return false;
}

/* Docker's rule that distinguishes registries from names on Docker Hub. */
static void domain_split(const char *text, char **ret_domain, char **ret_remainder)
{
	const char *slash = strchr(text, '/');
	size_t n = slash ? (size_t)(slash - text) : 0;
	g_autofree char *first = g_strndup(text, n);
	bool is_registry = slash && (g_str_equal(first, "localhost") || g_str_equal(first, LEGACY_DOMAIN) ||
				     strpbrk(first, ".:") || has_upper(first, n));
	const char *remainder = is_registry ? slash + 1 : text;
	bool is_hub = !is_registry || g_str_equal(first, LEGACY_DOMAIN) || g_str_equal(first, DEFAULT_DOMAIN);
	*ret_domain = g_strdup(is_hub ? DEFAULT_DOMAIN : first);
	*ret_remainder = g_strconcat(is_hub && !strchr(remainder, '/') ? OFFICIAL_PREFIX : "", remainder, NULL);
}

/* The reason why the grammar did not match: wrong upper case alone has its own text. */
static bool set_grammar_error(const char *domain, const char *remainder, GError **error)
{
	reference lower = {0};
	g_autofree char *domain_low = g_ascii_strdown(domain, -1), *low = g_ascii_strdown(remainder, -1);
	bool fits = is_domain(domain_low, domain_low + strlen(domain_low)) && remainder_read(&lower, low);
	g_free(lower.path);
	g_free(lower.tag);
	g_free(lower.digest);
	return error_set(error, ERROR_INVALID_ARGUMENT,
			 fits ? "repository name must be lowercase" : "invalid reference format");
}

reference *reference_parse_normalized(const char *text, GError **error)
{
	if (strlen(text) == 64 && strspn(text, "0123456789abcdef") == 64)
		return error_null(error, ERROR_INVALID_ARGUMENT,
				  "invalid repository name (%s), cannot specify 64-byte hexadecimal strings", text);
	g_autofree char *domain = NULL, *remainder = NULL;
	domain_split(text, &domain, &remainder);
	size_t name_len = strcspn(remainder, ":");
	if (has_upper(remainder, name_len))
		return error_null(error, ERROR_INVALID_ARGUMENT,
				  "invalid reference format: repository name (%.*s) must be lowercase", (int)name_len,
				  remainder);
	g_autoptr(reference) r = g_new0(reference, 1);
	if (!is_domain(domain, domain + strlen(domain)) || !remainder_read(r, remainder)) {
		set_grammar_error(domain, remainder, error);
		return NULL;
	}
	if (strlen(r->path) > PATH_MAX_BYTES)
		return error_null(error, ERROR_INVALID_ARGUMENT, "repository name must not be more than %d characters",
				  PATH_MAX_BYTES);
	struct digest digest;
	if (r->digest && !digest_parse(r->digest, &digest, error))
		return NULL;
	r->domain = g_steal_pointer(&domain);
	return g_steal_pointer(&r);
}

void reference_tag_default(reference *r)
{
	if (!r->tag && !r->digest)
		r->tag = g_strdup("latest");
}

static char *with_suffixes(const reference *r, const char *name)
{
	return g_strconcat(name, r->tag ? ":" : "", r->tag ? r->tag : "", r->digest ? "@" : "",
			   r->digest ? r->digest : "", NULL);
}

char *reference_name(const reference *r)
{
	return g_strconcat(r->domain, "/", r->path, NULL);
}

char *reference_text(const reference *r)
{
	g_autofree char *name = reference_name(r);
	return with_suffixes(r, name);
}

char *reference_familiar(const reference *r)
{
	if (!g_str_equal(r->domain, DEFAULT_DOMAIN))
		return reference_text(r);
	const char *path = r->path;
	if (g_str_has_prefix(path, OFFICIAL_PREFIX) && !strchr(path + strlen(OFFICIAL_PREFIX), '/'))
		path += strlen(OFFICIAL_PREFIX);
	return with_suffixes(r, path);
}
