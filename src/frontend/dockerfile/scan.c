/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/dockerfile/scan.h"
#include "base/limits.h"
#include "frontend/dockerfile/scan_line.h"
#include "frontend/dockerfile/text.h"
#include <string.h>

/* Position of the scanner in the text. */
struct reader {
	const char *p, *end;
	int line; /* number of lines read */
	bool too_long;
	const char *start, *stop; /* the last line read, including its line end */
};
struct scanner {
	arena *a;
	struct reader r;
	struct directive_reader directives;
	struct scan *ret;
	struct span *where;
	struct vec comments;
	GString *line;
};

static bool reader_next(struct reader *r)
{
	if (r->p >= r->end || r->too_long)
		return false;
	const char *newline = memchr(r->p, '\n', (size_t)(r->end - r->p));
	const char *stop = newline ? newline + 1 : r->end;
	if ((newline ? newline : stop) - r->p > LIMIT_DOCKERFILE_LINE_BYTES) {
		r->too_long = true; /* reported if everything before it is valid */
		return false;
	}
	r->start = r->p;
	r->stop = r->p = stop;
	return true;
}

static const char *trim_newline(const char *p, const char *end)
{
	while (end > p && (end[-1] == '\n' || end[-1] == '\r'))
		end--;
	return end;
}

static bool fail_at(struct scanner *s, int first, int last, GError **error, const char *text)
{
	*s->where = (struct span){first, MAX(first, last)};
	return error_set(error, ERROR_INVALID_ARGUMENT, "%s", text);
}

/*
 * Returns the line's continuation character, or NULL: the escape character, followed by blanks only, and not preceded
 * by another escape character.
 */
static const char *continuation(const char *p, const char *end, char escape)
{
	while (end > p && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	if (end == p || end[-1] != escape)
		return NULL;
	if (end - 1 > p && end[-2] == escape)
		return NULL;
	return end - 1;
}

/* Appends the line without its continuation character; returns whether the instruction ends here. */
static bool append_line(struct scanner *s, const char *p, const char *end)
{
	const char *cut = continuation(p, end, s->directives.escape);
	g_string_append_len(s->line, p, (cut ? cut : end) - p);
	return !cut;
}

static void comment_collect(struct scanner *s, const char *p, const char *end)
{
	char *text = text_trim(s->a, arena_strndup(s->a, p + 1, (size_t)(end - p - 1)));
	if (*text)
		arena_push(s->a, &s->comments, text);
	else
		s->comments = (struct vec){0};
}

/* Reads the lines of a continued instruction, up to its end or the end of the text. */
static bool continue_instruction(struct scanner *s, bool *ret_empty, GError **error)
{
	struct reader *r = &s->r;
	bool ended = false;
	while (!ended && reader_next(r)) {
		const char *end = trim_newline(r->start, r->stop);
		if (!directive_reader_line(&s->directives, s->a, r->start, end, NULL, error)) {
			*s->where = (struct span){r->line, r->line};
			return false;
		}
		r->line++;
		const char *text = text_skip_space(r->start, end);
		if (text == end)
			*ret_empty = true;
		else if (*text != '#')
			ended = append_line(s, r->start, end);
	}
	return true;
}

static bool read_body(struct scanner *s, struct heredoc *doc)
{
	struct reader *r = &s->r;
	size_t n = strlen(doc->name);
	const char *from = r->p;
	while (reader_next(r)) {
		r->line++;
		const char *p = r->start, *end = trim_newline(p, r->stop);
		while (doc->chomp && p < end && *p == '\t')
			p++;
		if ((size_t)(end - p) == n && memcmp(p, doc->name, n) == 0) {
			doc->content = arena_strndup(s->a, from, (size_t)(r->start - from));
			return true;
		}
	}
	return false;
}

static bool read_heredocs(struct scanner *s, struct node *node, int first, GError **error)
{
	struct vec docs = {0};
	heredocs_find(s->a, node->original, &docs);
	for (size_t i = 0; i < docs.n; i++) {
		if (!read_body(s, docs.items[i]))
			return fail_at(s, first, s->r.line, error, "unterminated heredoc");
		arena_push(s->a, &node->heredocs, docs.items[i]);
	}
	return true;
}

static bool add_node(struct scanner *s, int first, GError **error)
{
	const char *line = arena_strndup(s->a, s->line->str, s->line->len);
	struct node *node = node_split(s->a, line, s->directives.escape, error);
	if (!node) {
		*s->where = (struct span){first, s->r.line};
		return false;
	}
	node->comments = s->comments;
	s->comments = (struct vec){0};
	if (node_takes_heredocs(node) && strstr(line, "<<") && !read_heredocs(s, node, first, error))
		return false;
	node->span = (struct span){first, s->r.line};
	arena_push(s->a, &s->ret->nodes, node);
	if (s->ret->nodes.n > (size_t)LIMIT_INSTRUCTIONS)
		return error_set(error, ERROR_RESOURCE_EXHAUSTED, "Dockerfile with more than %lld instructions",
				 LIMIT_INSTRUCTIONS);
	return true;
}

/* Reads one line outside an instruction, and the instruction that begins there. */
static bool scan_line(struct scanner *s, GError **error)
{
	struct reader *r = &s->r;
	const char *p = r->start, *end = trim_newline(p, r->stop);
	if (r->line == 0 && end - p >= 3 && memcmp(p, "\xEF\xBB\xBF", 3) == 0)
		p += 3;
	const char *text = text_skip_space(p, end);
	bool comment = text < end && *text == '#';
	if (comment)
		comment_collect(s, p, end);
	bool directive = false;
	if (!directive_reader_line(&s->directives, s->a, text, end, &directive, error)) {
		*s->where = (struct span){r->line, r->line};
		return false;
	}
	if (directive)
		s->comments = (struct vec){0};
	int first = ++r->line;
	if (comment || text == end)
		return true;
	g_string_truncate(s->line, 0);
	bool empty = false;
	if (!append_line(s, text, end) && !continue_instruction(s, &empty, error))
		return false;
	if (empty) {
		struct span *span = arena_make(s->a, struct span);
		*span = (struct span){r->line, r->line};
		arena_push(s->a, &s->ret->empty_continuation, span);
	}
	return add_node(s, first, error);
}

static bool scan_all(struct scanner *s, GError **error)
{
	while (reader_next(&s->r))
		if (!scan_line(s, error))
			return false;
	if (!s->ret->nodes.n)
		return fail_at(s, s->r.line, 0, error, "file with no instructions");
	if (!s->r.too_long)
		return true;
	*s->where = (struct span){s->r.line, s->r.line};
	return error_set(error, ERROR_INVALID_ARGUMENT, "dockerfile line greater than max allowed size of %lld",
			 LIMIT_DOCKERFILE_LINE_BYTES);
}

bool scan_file(arena *a, const char *bytes, size_t n, struct scan *ret, struct span *ret_where, GError **error)
{
	*ret = (struct scan){0};
	*ret_where = (struct span){0};
	if (n > (size_t)LIMIT_DOCKERFILE_BYTES)
		return error_set(error, ERROR_RESOURCE_EXHAUSTED, "Dockerfile larger than %lld bytes",
				 LIMIT_DOCKERFILE_BYTES);
	const char *nul = n ? memchr(bytes, 0, n) : NULL;
	if (nul)
		return error_set(error, ERROR_INVALID_ARGUMENT, "Dockerfile has a NUL byte at offset %zu",
				 (size_t)(nul - bytes));
	struct scanner s = {.a = a, .ret = ret, .where = ret_where};
	s.r = (struct reader){.p = bytes, .end = bytes + n};
	s.directives = (struct directive_reader){.comment = "#", .escape = '\\'};
	s.line = g_string_new(NULL);
	bool ok = scan_all(&s, error);
	ret->escape = s.directives.escape;
	g_string_free(s.line, TRUE);
	return ok;
}
