/* SPDX-License-Identifier: Apache-2.0 */
#include "format/filter.h"
#include "format/go_regex.h"
#include <string.h>

/* Grammar: github.com/containerd/containerd/pkg/filters. selectors := selector ("," selector)* */
#define MAX_FILTER_BYTES 65536

enum operator{ OP_PRESENT, OP_EQUAL, OP_NOT_EQUAL, OP_MATCHES };
struct selector {
	GPtrArray *path; /* of char * */
	enum operator op;
	char *value;     /* NULL for presence */
	go_regex *regex; /* NULL: the expression does not compile and never matches */
};
struct filter {
	GPtrArray *alternatives; /* of GPtrArray of struct selector; an empty one matches everything */
};

enum token {
	TOKEN_CHAR,
	TOKEN_EOF,
	TOKEN_QUOTED,
	TOKEN_VALUE,
	TOKEN_FIELD,
	TOKEN_SEPARATOR,
	TOKEN_OPERATOR,
	TOKEN_ILLEGAL
};
#define RUNE_EOF (-1)
#define RUNE_ILLEGAL (-2)

struct scanner {
	const char *input;
	size_t len, pos, next; /* pos: start of the current rune, next: behind it */
	bool value;            /* an operator was read: a value follows */
	const char *problem;
};

struct lexeme {
	enum token token;
	size_t pos;
	const char *text;
	size_t len;
};

static void selector_free(gpointer data)
{
	struct selector *s = data;
	g_ptr_array_unref(s->path);
	g_free(s->value);
	g_clear_pointer(&s->regex, go_regex_free);
	g_free(s);
}

/* ---- scanner */
static void scanner_blame(struct scanner *s, const char *problem)
{
	if (!s->problem)
		s->problem = problem;
}

static int64_t scanner_next(struct scanner *s)
{
	if (s->next >= s->len) {
		s->pos = s->len;
		return RUNE_EOF;
	}
	s->pos = s->next;
	gunichar r = g_utf8_get_char_validated(s->input + s->next, (gssize)(s->len - s->next));
	if (r == (gunichar)-1 || r == (gunichar)-2 || r == 0xfffd) {
		s->next++;
		scanner_blame(s, "rune error");
		return RUNE_ILLEGAL;
	}
	s->next += (size_t)(g_utf8_next_char(s->input + s->next) - (s->input + s->next));
	return r;
}

static int64_t scanner_peek(struct scanner *s)
{
	struct scanner saved = *s;
	int64_t r = scanner_next(s);
	*s = saved;
	return r;
}

static bool is_field(int64_t r)
{
	return r == '_' || (r >= '0' && r <= '9') || (r >= 'A' && r <= 'Z') || (r >= 'a' && r <= 'z');
}

static bool is_operator(int64_t r)
{
	return r == '=' || r == '!' || r == '~';
}

static bool is_quote(int64_t r)
{
	return r == '/' || r == '|' || r == '"';
}

static bool is_value(int64_t r)
{
	return r > 0 && r != ',' && !g_unichar_isspace((gunichar)r) && g_unichar_isprint((gunichar)r);
}

static void scanner_skip(struct scanner *s, bool (*is)(int64_t r))
{
	while (is(scanner_peek(s)))
		scanner_next(s);
}

static bool scan_digits(struct scanner *s, int64_t *r, int base, int n)
{
	for (; n > 0 && *r >= 0 && *r < 128 && g_ascii_xdigit_value((char)*r) >= 0 &&
	       g_ascii_xdigit_value((char)*r) < base;
	     n--)
		*r = scanner_next(s);
	if (n > 0)
		scanner_blame(s, "illegal numeric escape sequence");
	return n <= 0;
}

static bool scan_escape(struct scanner *s, int64_t quote, int64_t *r)
{
	*r = scanner_next(s);
	if (*r == quote || (*r > 0 && *r < 128 && strchr("abfnrtv\\", (int)*r))) {
		*r = scanner_next(s);
		return true;
	}
	if (*r >= '0' && *r <= '7')
		return scan_digits(s, r, 8, 3);
	int n = *r == 'x' ? 2 : *r == 'u' ? 4 : *r == 'U' ? 8 : 0;
	if (n == 0) {
		scanner_blame(s, "illegal escape sequence");
		return false;
	}
	*r = scanner_next(s);
	return scan_digits(s, r, 16, n);
}

static bool scan_quoted(struct scanner *s, int64_t quote)
{
	bool legal = true;
	int64_t r = scanner_next(s);
	while (r != quote) {
		if (r == '\n' || r < 0) {
			scanner_blame(s, "quoted literal not terminated");
			return false;
		}
		if (r == '\\')
			legal = scan_escape(s, quote, &r) && legal;
		else
			r = scanner_next(s);
	}
	return legal;
}

static struct lexeme lexeme_make(struct scanner *s, enum token token, size_t pos)
{
	return (struct lexeme){token, pos, s->input + pos, s->next - pos};
}

static struct lexeme scanner_scan(struct scanner *s)
{
	int64_t r = scanner_next(s);
	while (r > 0 && g_unichar_isspace((gunichar)r))
		r = scanner_next(s);
	size_t pos = s->pos;
	if (is_quote(r))
		return lexeme_make(s, scan_quoted(s, r) ? TOKEN_QUOTED : TOKEN_ILLEGAL, pos);
	if (r == ',' || r == '.') {
		s->value = false;
		return lexeme_make(s, TOKEN_SEPARATOR, pos);
	}
	if (is_operator(r)) {
		scanner_skip(s, is_operator);
		s->value = true;
		return lexeme_make(s, TOKEN_OPERATOR, pos);
	}
	if (r >= 0 && s->value) {
		scanner_skip(s, is_value);
		s->value = false;
		return lexeme_make(s, TOKEN_VALUE, pos);
	}
	if (is_field(r)) {
		scanner_skip(s, is_field);
		return lexeme_make(s, TOKEN_FIELD, pos);
	}
	return (struct lexeme){r == RUNE_EOF ? TOKEN_EOF : r == RUNE_ILLEGAL ? TOKEN_ILLEGAL : TOKEN_CHAR, pos, "", 0};
}

/* ---- parser */
static bool blame(const struct scanner *s, size_t pos, const char *problem, GError **error)
{
	if (pos < s->len)
		return error_set(error, ERROR_INVALID_ARGUMENT,
				 "filters: parse error: [%.*s >|%c|< %s]: %s: invalid argument", (int)pos, s->input,
				 g_ascii_isprint(s->input[pos]) ? s->input[pos] : '?', s->input + pos + 1, problem);
	return error_set(error, ERROR_INVALID_ARGUMENT, "filters: parse error: [%s]: %s: invalid argument", s->input,
			 problem);
}

static bool unquote_number(const char **p, const char *end, int base, int n, gunichar *ret)
{
	gunichar v = 0;
	for (; n > 0; n--, (*p)++) {
		int digit = *p < end ? g_ascii_xdigit_value(**p) : -1;
		if (digit < 0 || digit >= base)
			return false;
		v = v * (gunichar)base + (gunichar)digit;
	}
	*ret = v;
	return true;
}

static bool unquote_escape(const char **p, const char *end, GString *out)
{
	static const char letters[] = "abfnrtv\\";
	static const char meaning[] = "\a\b\f\n\r\t\v\\";
	char c = *(*p)++;
	const char *at = strchr(letters, c);
	gunichar v;
	if (at && c) {
		g_string_append_c(out, meaning[at - letters]);
		return true;
	}
	if (is_quote(c)) {
		g_string_append_c(out, c);
		return true;
	}
	if (c >= '0' && c <= '7') {
		(*p)--;
		if (!unquote_number(p, end, 8, 3, &v) || v > 255 || v == 0)
			return false;
		g_string_append_c(out, (char)v);
		return true;
	}
	int n = c == 'x' ? 2 : c == 'u' ? 4 : 8;
	if (!unquote_number(p, end, 16, n, &v) || v == 0 || v > 0x10ffff)
		return false;
	if (n == 2)
		g_string_append_c(out, (char)v);
	else
		g_string_append_unichar(out, v);
	return true;
}

static char *unquote(const struct scanner *s, const struct lexeme *l, bool any_quote, GError **error)
{
	if (!any_quote && l->text[0] != '"') {
		blame(s, l->pos, "invalid quote encountered", error);
		return NULL;
	}
	g_autoptr(GString) out = g_string_sized_new(l->len);
	const char *p = l->text + 1, *end = l->text + l->len - 1;
	while (p < end) {
		if (*p != '\\') {
			g_string_append_c(out, *p++);
			continue;
		}
		p++;
		if (!unquote_escape(&p, end, out)) {
			blame(s, l->pos, "unquoting failed: quote syntax error", error);
			return NULL;
		}
	}
	return g_string_free(g_steal_pointer(&out), FALSE);
}

static bool parse_field(struct scanner *s, GPtrArray *path, GError **error)
{
	struct lexeme l = scanner_scan(s);
	if (l.token == TOKEN_FIELD) {
		g_ptr_array_add(path, g_strndup(l.text, l.len));
		return true;
	}
	if (l.token == TOKEN_QUOTED) {
		char *text = unquote(s, &l, false, error);
		if (text)
			g_ptr_array_add(path, text);
		return text != NULL;
	}
	return blame(s, l.pos, l.token == TOKEN_ILLEGAL && s->problem ? s->problem : "expected field or quoted", error);
}

static bool parse_path(struct scanner *s, GPtrArray *path, GError **error)
{
	if (!parse_field(s, path, error))
		return false;
	while (scanner_peek(s) == '.') {
		scanner_scan(s);
		if (!parse_field(s, path, error))
			return false;
	}
	return true;
}

static bool parse_operator(struct scanner *s, enum operator* ret_op, GError **error)
{
	static const char *const names[] = {[OP_EQUAL] = "==", [OP_NOT_EQUAL] = "!=", [OP_MATCHES] = "~="};
	struct lexeme l = scanner_scan(s);
	if (l.token != TOKEN_OPERATOR)
		return blame(s, l.pos,
			     l.token == TOKEN_ILLEGAL && s->problem ? s->problem
								    : "expected an operator (\"==\"|\"!=\"|\"~=\")",
			     error);
	for (enum operator op = OP_EQUAL; op <= OP_MATCHES; op++)
		if (l.len == 2 && memcmp(l.text, names[op], 2) == 0) {
			*ret_op = op;
			return true;
		}
	g_autofree char *problem = g_strdup_printf("unsupported operator \"%.*s\"", (int)l.len, l.text);
	return blame(s, l.pos, problem, error);
}

static bool parse_value(struct scanner *s, struct selector *into, GError **error)
{
	struct lexeme l = scanner_scan(s);
	if (l.token == TOKEN_VALUE || l.token == TOKEN_FIELD)
		into->value = g_strndup(l.text, l.len);
	else if (l.token == TOKEN_QUOTED)
		into->value = unquote(s, &l, into->op == OP_MATCHES, error);
	else
		return blame(s, l.pos, l.token == TOKEN_ILLEGAL && s->problem ? s->problem : "expected value or quoted",
			     error);
	if (into->value && into->op == OP_MATCHES)
		into->regex = go_regex_new(into->value, NULL);
	return into->value != NULL;
}

static bool parse_selector(struct scanner *s, GPtrArray *selectors, GError **error)
{
	struct selector *one = g_new0(struct selector, 1);
	one->path = g_ptr_array_new_with_free_func(g_free);
	g_ptr_array_add(selectors, one);
	if (!parse_path(s, one->path, error))
		return false;
	int64_t r = scanner_peek(s);
	if (r == ',' || r == RUNE_EOF)
		return true;
	return parse_operator(s, &one->op, error) && parse_value(s, one, error);
}

static GPtrArray *parse(const char *text, GError **error)
{
	struct scanner s = {.input = text, .len = strlen(text)};
	g_autoptr(GPtrArray) selectors = g_ptr_array_new_with_free_func(selector_free);
	if (s.len == 0)
		return g_steal_pointer(&selectors);
	if (s.len > MAX_FILTER_BYTES)
		return error_null(error, ERROR_INVALID_ARGUMENT, "filters: filter of %zu bytes is too long", s.len);
	for (;;) {
		if (!parse_selector(&s, selectors, error))
			return NULL;
		int64_t r = scanner_peek(&s);
		if (r == RUNE_EOF)
			return g_steal_pointer(&selectors);
		if (r != ',') {
			char shown[7] = "?";
			if (r > 0)
				shown[g_unichar_to_utf8((gunichar)r, shown)] = '\0';
			g_autofree char *problem = g_strdup_printf("unexpected input: %s", shown);
			blame(&s, s.next, problem, error);
			return NULL;
		}
		scanner_scan(&s);
	}
}

filter *filter_new(const char *const *list, GError **error)
{
	g_autoptr(filter) f = g_new0(filter, 1);
	f->alternatives = g_ptr_array_new_with_free_func((GDestroyNotify)g_ptr_array_unref);
	for (size_t i = 0; list && list[i]; i++) {
		GPtrArray *selectors = parse(list[i], error);
		if (!selectors)
			return NULL;
		g_ptr_array_add(f->alternatives, selectors);
	}
	return g_steal_pointer(&f);
}

void filter_free(filter *f)
{
	if (!f)
		return;
	g_ptr_array_unref(f->alternatives);
	g_free(f);
}

/* ---- matching */
static bool selector_match(const struct selector *s, filter_lookup_fn lookup, const void *row)
{
	const char *value = lookup(row, (const char *const *)s->path->pdata, s->path->len);
	switch (s->op) {
	case OP_PRESENT:
		return value != NULL;
	case OP_EQUAL:
		return value && strcmp(value, s->value) == 0;
	case OP_NOT_EQUAL:
		return strcmp(value ? value : "", s->value) != 0;
	case OP_MATCHES:
		break;
	}
	bool matches = false;
	return s->regex && go_regex_match(s->regex, value ? value : "", &matches, NULL) && matches;
}

static bool all_match(const GPtrArray *selectors, filter_lookup_fn lookup, const void *row)
{
	for (guint i = 0; i < selectors->len; i++)
		if (!selector_match(selectors->pdata[i], lookup, row))
			return false;
	return true;
}

bool filter_match(const filter *f, filter_lookup_fn lookup, const void *row)
{
	if (!f || f->alternatives->len == 0)
		return true;
	for (guint i = 0; i < f->alternatives->len; i++)
		if (all_match(f->alternatives->pdata[i], lookup, row))
			return true;
	return false;
}
