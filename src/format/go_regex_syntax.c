/* SPDX-License-Identifier: Apache-2.0 */
/* Syntax: https://pkg.go.dev/regexp/syntax, with the flags of regexp.Compile. */
#include "format/go_regex_syntax.h"
#include "format/gorune.h"
#include <string.h>

enum {
	DEPTH_MAX = 1000,  /* of groups, as in Go */
	REPEAT_MAX = 1000, /* of one repetition and of nested ones together, as in Go */
};
enum flag { FLAG_FOLD = 1, FLAG_MULTI_LINE = 2, FLAG_DOT_NEWLINE = 4, FLAG_LAZY = 8 };

struct parser {
	struct regex_tree *tree;
	const char *text, *p, *end;
	unsigned flags;
	unsigned depth;
	GError **error;
};

static struct regex_node *alternation_parse(struct parser *s);

/* part to end is the part of the expression that the error names. */
static void *syntax_error(struct parser *s, const char *what, const char *part, const char *end)
{
	return error_null(s->error, ERROR_INVALID_ARGUMENT, "error parsing regexp: %s: `%.*s`", what, (int)(end - part),
			  part);
}

static struct regex_node *node_new(struct parser *s, enum regex_kind kind)
{
	struct regex_node *node = arena_make(s->tree->memory, struct regex_node);
	node->kind = kind;
	return node;
}

static bool at(const struct parser *s, const char *text)
{
	return g_str_has_prefix(s->p, text);
}

/* ---- runes and sets */

static void range_add(struct parser *s, gunichar low, gunichar high)
{
	struct regex_item item = {ITEM_RANGE, .low = low, .high = high};
	g_array_append_val(s->tree->items, item);
}

static struct regex_node *set_node(struct parser *s, guint first, bool negated)
{
	struct regex_node *node = node_new(s, REGEX_SET);
	node->set = (struct regex_set){first, s->tree->items->len - first, negated, s->flags & FLAG_FOLD};
	return node;
}

static struct regex_node *rune_node(struct parser *s, gunichar rune)
{
	range_add(s, rune, rune);
	return set_node(s, s->tree->items->len - 1, false);
}

static struct regex_node *assert_node(struct parser *s, enum regex_assert what)
{
	struct regex_node *node = node_new(s, REGEX_ASSERT);
	node->assert = what;
	return node;
}

/* Behind "\x": two digits, or any number in braces. Leaves s->p behind what Go calls the invalid escape. */
static bool hex_parse(struct parser *s, gunichar *ret)
{
	bool braces = *s->p == '{';
	s->p += braces;
	*ret = 0;
	for (int digits = 0; s->p < s->end; digits++) {
		if (braces && *s->p == '}' && digits > 0) {
			s->p++;
			return true;
		}
		int digit = g_ascii_xdigit_value(*s->p);
		s->p = g_utf8_next_char(s->p);
		if (!braces && digits == 0 && digit < 0 && s->p < s->end)
			s->p = g_utf8_next_char(s->p);
		if (digit < 0)
			return false;
		*ret = *ret * 16 + (gunichar)digit;
		if (*ret > 0x10FFFF)
			return false;
		if (!braces && digits == 1)
			return true;
	}
	return false;
}

/* An escape that stands for one rune; s->p is at the backslash. */
static bool escape_parse(struct parser *s, gunichar *ret)
{
	static const char letters[] = "afnrtv", values[] = "\a\f\n\r\t\v";
	const char *start = s->p++;
	char c = *s->p;
	const char *letter = c ? strchr(letters, c) : NULL;
	if (!c)
		return syntax_error(s, "trailing backslash at end of expression", s->p, s->p) != NULL;
	s->p += rune_decode(s->p, s->end, ret);
	if (letter)
		*ret = (gunichar)values[letter - letters];
	else if (c == '0' || (c >= '1' && c <= '7' && *s->p >= '0' && *s->p <= '7')) /* a lone digit is a reference */
		for (*ret = (gunichar)(c - '0'); *s->p >= '0' && *s->p <= '7' && s->p < start + 4; s->p++)
			*ret = *ret * 8 + (gunichar)(*s->p - '0');
	else if (c == 'x' ? !hex_parse(s, ret) : (unsigned char)c >= 0x80 || g_ascii_isalnum(c))
		return syntax_error(s, "invalid escape sequence", start, s->p) != NULL;
	return true;
}

/* \d, \pN, \p{Greek} and their complements. *ret_found is false when there is none here. */
static bool named_class_parse(struct parser *s, bool *ret_found)
{
	const char *start = s->p;
	char kind = *start == '\\' ? start[1] : '\0';
	char name[2] = {g_ascii_tolower(kind), '\0'};
	*ret_found = true;
	if (kind && strchr("dDsSwW", kind)) {
		s->p += 2;
		return regex_add_posix_class(s->tree->items, name, g_ascii_isupper(kind));
	}
	*ret_found = kind == 'p' || kind == 'P';
	if (!*ret_found)
		return true;
	s->p += 2;
	const char *from = s->p, *to = from;
	if (*from == '{') {
		to = strchr(++from, '}');
		s->p = to ? to + 1 : s->end;
	} else if (*from) {
		gunichar rune;
		to = s->p += rune_decode(from, s->end, &rune);
	}
	g_autofree char *text = to ? g_strndup(from, (gsize)(to - from)) : NULL;
	return (text && regex_add_unicode_class(s->tree->items, text, kind == 'P')) ||
	       syntax_error(s, "invalid character class range", start, s->p);
}

/* "[:alpha:]" inside a class. */
static bool posix_class_parse(struct parser *s, bool *ret_found)
{
	const char *close = at(s, "[:") ? strstr(s->p + 2, ":]") : NULL;
	*ret_found = close != NULL;
	if (!close)
		return true;
	bool negated = s->p[2] == '^';
	const char *start = s->p, *from = start + 2 + negated;
	g_autofree char *name = g_strndup(from, (gsize)(close - from));
	s->p = close + 2;
	return (strlen(name) > 1 && regex_add_posix_class(s->tree->items, name, negated)) ||
	       syntax_error(s, "invalid character class range", start, s->p);
}

static bool class_rune_parse(struct parser *s, const char *class, gunichar *ret)
{
	if (s->p == s->end)
		return syntax_error(s, "missing closing ]", class, s->end) != NULL;
	if (*s->p == '\\')
		return escape_parse(s, ret);
	s->p += rune_decode(s->p, s->end, ret);
	return true;
}

static struct regex_node *class_parse(struct parser *s)
{
	const char *class = s->p++;
	guint first = s->tree->items->len;
	bool negated = *s->p == '^';
	s->p += negated;
	for (bool is_first = true; is_first || *s->p != ']'; is_first = false) {
		bool found;
		const char *start = s->p;
		gunichar low, high;
		if (!posix_class_parse(s, &found) || (!found && !named_class_parse(s, &found)))
			return NULL;
		if (found)
			continue;
		if (!class_rune_parse(s, class, &low))
			return NULL;
		high = low;
		if (s->p[0] == '-' && s->p[1] && s->p[1] != ']') {
			s->p++;
			if (!class_rune_parse(s, class, &high))
				return NULL;
			if (high < low)
				return syntax_error(s, "invalid character class range", start, s->p);
		}
		range_add(s, low, high);
	}
	s->p++;
	return set_node(s, first, negated);
}

/* ---- groups */

static bool name_is_valid(const char *name)
{
	const char *p = name;
	while (g_ascii_isalnum(*p) || *p == '_')
		p++;
	return p > name && !*p;
}

/* Behind "(?", up to and with the ':' or ')'. */
static bool flags_parse(struct parser *s, const char *start)
{
	static const char letters[] = "imsU";
	unsigned flags = s->flags;
	bool clear = false, seen = false;
	for (;;) {
		char c = *s->p;
		const char *letter = c ? strchr(letters, c) : NULL;
		s->p += c != '\0';
		if (letter) {
			unsigned bit = 1u << (letter - letters);
			flags = clear ? flags & ~bit : flags | bit;
			seen = true;
		} else if (c == '-' && !clear) {
			clear = true;
			seen = false;
		} else if ((c == ':' || c == ')') && (!clear || seen)) {
			s->flags = flags;
			return true;
		} else {
			return syntax_error(s, "invalid or unsupported Perl syntax", start, s->p) != NULL;
		}
	}
}

/* What is behind "(" and its name, up to the ")". */
static struct regex_node *group_rest_parse(struct parser *s, unsigned outer_flags)
{
	if (++s->depth > DEPTH_MAX)
		return syntax_error(s, "expression nests too deeply", s->text, s->end);
	struct regex_node *node = alternation_parse(s);
	s->depth--;
	if (!node)
		return NULL;
	if (*s->p != ')')
		return syntax_error(s, "missing closing )", s->text, s->end);
	s->p++;
	s->flags = outer_flags;
	return node;
}

static bool name_parse(struct parser *s, char **ret)
{
	const char *start = s->p, *from = strchr(start, '<') + 1, *to = strchr(from, '>');
	if (!to)
		return syntax_error(s, "invalid named capture", start, s->end) != NULL;
	char *name = arena_strndup(s->tree->memory, from, (size_t)(to - from));
	if (!name_is_valid(name))
		return syntax_error(s, "invalid named capture", start, to + 1) != NULL;
	for (guint i = 0; i < s->tree->names->len; i++)
		if (g_str_equal(s->tree->names->pdata[i], name))
			return syntax_error(s, "invalid named capture", from, to) != NULL;
	s->p = to + 1;
	*ret = name;
	return true;
}

/* s->p is at "(". */
static struct regex_node *group_parse(struct parser *s)
{
	unsigned flags = s->flags;
	const char *start = s->p;
	char *name = (char *)"";
	if (at(s, "(?P<") || at(s, "(?<")) {
		if (!name_parse(s, &name))
			return NULL;
	} else if (at(s, "(?")) {
		s->p += 2;
		if (!flags_parse(s, start))
			return NULL;
		return s->p[-1] == ')' ? node_new(s, REGEX_EMPTY) : group_rest_parse(s, flags);
	} else {
		s->p++;
	}
	g_ptr_array_add(s->tree->names, g_strdup(name));
	struct regex_node *node = node_new(s, REGEX_CAPTURE);
	node->group = s->tree->names->len;
	node->first = group_rest_parse(s, flags);
	return node->first ? node : NULL;
}

/* ---- repetitions */

/* A number without leading zeros; -1 when it is too large for any use. */
static bool count_parse(const char **p, int *ret)
{
	size_t n = strspn(*p, "0123456789");
	if (n == 0 || (n > 1 && **p == '0'))
		return false;
	*ret = n > 6 ? -1 : (int)g_ascii_strtoull(*p, NULL, 10);
	*p += n;
	return true;
}

/* "{2}", "{2,}" or "{2,3}"; anything else that begins so is text. */
static bool braces_parse(struct parser *s, int *ret_min, int *ret_max)
{
	const char *p = s->p + 1;
	if (!count_parse(&p, ret_min))
		return false;
	*ret_max = *ret_min;
	if (*p == ',') {
		p++;
		if (*p == '}')
			*ret_max = -1;
		else if (!count_parse(&p, ret_max))
			return false;
		else if (*ret_max < 0)
			*ret_min = -1;
	}
	if (*p != '}')
		return false;
	s->p = p + 1;
	return true;
}

/* Repetitions of repetitions, multiplied. */
static bool repeat_fits(const struct regex_node *node, int limit)
{
	if (node->kind == REGEX_REPEAT) {
		int m = node->max < 0 ? node->min : node->max;
		if (node->max == 0)
			return true;
		if (m > limit)
			return false;
		limit = m > 0 ? limit / m : limit;
	}
	for (const struct regex_node *child = node->first; child; child = child->next)
		if (!repeat_fits(child, limit))
			return false;
	return true;
}

/* The operator at s->p, if there is one; *last: the one just before it, or NULL. */
static bool repeat_parse(struct parser *s, struct regex_node **node, const char **last)
{
	const char *start = s->p;
	int min = *start == '+', max = *start == '?' ? 1 : -1;
	if (*start == '{' ? !braces_parse(s, &min, &max) : !*start || !strchr("*+?", *start)) {
		*last = NULL;
		return true;
	}
	if (*start != '{')
		s->p++;
	const char *operator_end = s->p;
	bool lazy = *s->p == '?';
	s->p += lazy;
	if (*last)
		return syntax_error(s, "invalid nested repetition operator", *last, s->p) != NULL;
	if (!*node)
		return syntax_error(s, "missing argument to repetition operator", start, operator_end) != NULL;
	struct regex_node *repeat = node_new(s, REGEX_REPEAT);
	repeat->min = min;
	repeat->max = max;
	repeat->lazy = lazy != !!(s->flags & FLAG_LAZY);
	repeat->first = *node;
	bool is_range = max < 0 || min <= max;
	if (min < 0 || min > REPEAT_MAX || max > REPEAT_MAX || !is_range ||
	    ((min >= 2 || max >= 2) && !repeat_fits(repeat, REPEAT_MAX)))
		return syntax_error(s, "invalid repeat count", start, operator_end) != NULL;
	*node = repeat;
	*last = start;
	return true;
}

/* ---- the whole */

/* s->p is at a backslash. */
static struct regex_node *backslash_parse(struct parser *s)
{
	static const struct {
		char c;
		enum regex_assert what;
	} asserts[] = {{'A', ASSERT_BEGIN}, {'z', ASSERT_END}, {'b', ASSERT_WORD}, {'B', ASSERT_NOT_WORD}};
	for (size_t i = 0; i < G_N_ELEMENTS(asserts); i++)
		if (s->p[1] == asserts[i].c) {
			s->p += 2;
			return assert_node(s, asserts[i].what);
		}
	guint first = s->tree->items->len;
	bool found;
	if (!named_class_parse(s, &found))
		return NULL;
	gunichar rune;
	if (found)
		return set_node(s, first, false);
	return escape_parse(s, &rune) ? rune_node(s, rune) : NULL;
}

static struct regex_node *dot_parse(struct parser *s)
{
	s->p++;
	if (s->flags & FLAG_DOT_NEWLINE) {
		range_add(s, 0, 0x10FFFF);
		return set_node(s, s->tree->items->len - 1, false);
	}
	range_add(s, '\n', '\n');
	return set_node(s, s->tree->items->len - 1, true);
}

static struct regex_node *literal_parse(struct parser *s)
{
	gunichar rune;
	s->p += rune_decode(s->p, s->end, &rune);
	return rune_node(s, rune);
}

static struct regex_node *atom_parse(struct parser *s)
{
	bool lines = s->flags & FLAG_MULTI_LINE;
	switch (*s->p) {
	case '(':
		return group_parse(s);
	case '[':
		return class_parse(s);
	case '\\':
		return backslash_parse(s);
	case '.':
		return dot_parse(s);
	case '^':
		s->p++;
		return assert_node(s, lines ? ASSERT_LINE_BEGIN : ASSERT_BEGIN);
	case '$':
		s->p++;
		return assert_node(s, lines ? ASSERT_LINE_END : ASSERT_END);
	default:
		return literal_parse(s);
	}
}

/* Up to "|", ")" or the end. */
static struct regex_node *concat_parse(struct parser *s)
{
	struct regex_node *list = node_new(s, REGEX_CONCAT), **tail = &list->first, *node = NULL;
	bool quoted = false; /* between \Q and \E */
	for (const char *last = NULL; s->p < s->end;) {
		if (quoted && at(s, "\\E")) {
			s->p += 2;
			quoted = false;
			continue;
		}
		if (!quoted && at(s, "\\Q")) {
			s->p += 2;
			quoted = true;
			last = NULL;
			continue;
		}
		if (!quoted && (*s->p == '|' || *s->p == ')'))
			break;
		const char *start = s->p;
		if (!quoted && !repeat_parse(s, &node, &last))
			return NULL;
		if (s->p > start) {
			*tail = node;
			continue;
		}
		struct regex_node *atom = quoted ? literal_parse(s) : atom_parse(s);
		if (!atom)
			return NULL;
		last = NULL;
		if (atom->kind == REGEX_EMPTY) /* "(?i)" */
			continue;
		if (node)
			tail = &node->next;
		*tail = node = atom;
	}
	return list;
}

static struct regex_node *alternation_parse(struct parser *s)
{
	struct regex_node *list = node_new(s, REGEX_ALTERNATE), **tail = &list->first;
	for (;; s->p++) {
		*tail = concat_parse(s);
		if (!*tail)
			return NULL;
		tail = &(*tail)->next;
		if (*s->p != '|')
			return list;
	}
}

bool regex_parse(const char *text, struct regex_tree *ret, GError **error)
{
	struct parser s = {.tree = ret, .text = text, .p = text, .end = text + strlen(text), .error = error};
	if (!g_utf8_validate(text, -1, NULL))
		return error_set(error, ERROR_INVALID_ARGUMENT, "error parsing regexp: invalid UTF-8");
	ret->root = alternation_parse(&s);
	if (!ret->root)
		return false;
	return s.p == s.end || syntax_error(&s, "unexpected )", text, s.end);
}
