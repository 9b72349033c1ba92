/* SPDX-License-Identifier: Apache-2.0 */
#include "source/git_object.h"
#include <string.h>

static const char *const commit_headers[] = {"tree ", "author ", "committer "};
static const char *const tag_headers[] = {"object ", "type ", "tag ", "tagger "};
/* A commit has its signature in one of these headers, or in both. */
static const char *const signature_headers[] = {"gpgsig ", "gpgsig-sha256 "};
/* A tag has its signature at the end of its message. */
static const char *const signature_lines[] = {"-----BEGIN PGP SIGNATURE-----", "-----BEGIN SSH SIGNATURE-----"};

enum { HEADERS_MAX = 4 };

struct parser {
	git_object *o;
	const char *at, *end;
	bool at_end;            /* the last line was read */
	bool first_signed;      /* no line was added to signed_data yet */
	bool first_signature;   /* likewise */
	bool seen[HEADERS_MAX]; /* required headers */
};

struct line {
	const char *at;
	size_t n;
};

static bool starts_with(const struct line *l, const char *prefix)
{
	size_t n = strlen(prefix);
	return l->n >= n && memcmp(l->at, prefix, n) == 0;
}

/* Lines are separated by newlines: a newline at the end is followed by an empty line. */
static bool line_next(struct parser *p, struct line *ret)
{
	if (p->at_end)
		return false;
	const char *newline = p->at < p->end ? memchr(p->at, '\n', (size_t)(p->end - p->at)) : NULL;
	*ret = (struct line){p->at, (size_t)((newline ? newline : p->end) - p->at)};
	p->at_end = !newline;
	p->at = newline ? newline + 1 : p->end;
	return true;
}

static void append(GString *to, bool *first, const char *at, size_t n)
{
	if (!*first)
		g_string_append_c(to, '\n');
	*first = false;
	g_string_append_len(to, at, (gssize)n);
}

static void add_signed(struct parser *p, const struct line *l)
{
	append(p->o->signed_data, &p->first_signed, l->at, l->n);
}

static void add_signature(struct parser *p, const struct line *l, size_t skip)
{
	append(p->o->signature, &p->first_signature, l->at + skip, l->n - skip);
}

static const char *const *required(const git_object *o, size_t *ret_n)
{
	*ret_n = o->is_tag ? G_N_ELEMENTS(tag_headers) : G_N_ELEMENTS(commit_headers);
	return o->is_tag ? tag_headers : commit_headers;
}
G_STATIC_ASSERT(G_N_ELEMENTS(tag_headers) <= HEADERS_MAX);

static void read_headers(struct parser *p)
{
	size_t n_headers;
	const char *const *headers = required(p->o, &n_headers);
	bool in_signature = false;
	for (struct line l; line_next(p, &l);) {
		size_t skip = 0;
		for (size_t i = 0; !p->o->is_tag && i < G_N_ELEMENTS(signature_headers); i++)
			if (starts_with(&l, signature_headers[i]))
				skip = strlen(signature_headers[i]);
		if (skip > 0 || (in_signature && starts_with(&l, " "))) {
			in_signature = true;
			add_signature(p, &l, skip ? skip : 1);
			continue;
		}
		in_signature = false;
		add_signed(p, &l);
		if (l.n == 0)
			return;
		for (size_t i = 0; i < n_headers; i++)
			p->seen[i] |= starts_with(&l, headers[i]);
	}
}

static void read_message(struct parser *p)
{
	bool in_signature = false;
	for (struct line l; line_next(p, &l);) {
		for (size_t i = 0; p->o->is_tag && i < G_N_ELEMENTS(signature_lines); i++)
			in_signature |= l.n == strlen(signature_lines[i]) && starts_with(&l, signature_lines[i]);
		if (in_signature)
			add_signature(p, &l, 0);
		else
			add_signed(p, &l);
	}
	if (p->o->is_tag)
		g_string_append_c(p->o->signed_data, '\n');
}

bool git_object_parse(const void *bytes, size_t n, git_object *ret, GError **error)
{
	git_object o = {.raw = bytes, .n_raw = n, .signed_data = g_string_new(NULL), .signature = g_string_new(NULL)};
	struct parser p = {
		.o = &o, .at = bytes, .end = (const char *)bytes + n, .first_signed = true, .first_signature = true};
	o.is_tag = starts_with(&(struct line){bytes, n}, "object ");
	read_headers(&p);
	read_message(&p);
	size_t n_headers;
	const char *const *headers = required(&o, &n_headers);
	for (size_t i = 0; i < n_headers; i++) {
		if (p.seen[i])
			continue;
		bool is_tag = o.is_tag;
		git_object_clear(&o);
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid %s object: missing %.*s header",
				 is_tag ? "tag" : "commit", (int)strlen(headers[i]) - 1, headers[i]);
	}
	*ret = o;
	return true;
}

bool git_object_check(const git_object *o, const char *sha, GError **error)
{
	size_t n = strlen(sha);
	if (n != 40 && n != 64)
		return error_set(error, ERROR_INVALID_ARGUMENT, "unsupported sha length %zu", n);
	g_autofree char *head = g_strdup_printf("%s %zu", o->is_tag ? "tag" : "commit", o->n_raw);
	g_autoptr(GChecksum) sum = g_checksum_new(n == 40 ? G_CHECKSUM_SHA1 : G_CHECKSUM_SHA256);
	g_checksum_update(sum, (const guchar *)head, (gssize)strlen(head) + 1); /* with its NUL */
	g_checksum_update(sum, o->raw, (gssize)o->n_raw);
	const char *found = g_checksum_get_string(sum);
	return strcmp(found, sha) == 0 ||
	       error_set(error, ERROR_FAILED_PRECONDITION, "checksum mismatch: expected %s, got %s", sha, found);
}

void git_object_clear(git_object *o)
{
	if (o->signed_data)
		g_string_free(o->signed_data, TRUE);
	if (o->signature)
		g_string_free(o->signature, TRUE);
	*o = (git_object){0};
}
