/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A list of tokens, run as a set of states (Thompson): state i means "the tokens before i have matched". A rune
 * advances every state at most one step, so the cost is at most tokens times runes for any pattern.
 */
#include "format/path_regex.h"
#include "format/gorune.h"
#include <string.h>

enum token_kind {
	TOKEN_RUNE,     /* one rune */
	TOKEN_CLASS,    /* one rune of a class */
	TOKEN_STAR,     /* any number of runes of a class */
	TOKEN_DIRS,     /* "(.*\/)?": skips itself and TOKEN_INSIDE, or enters that */
	TOKEN_INSIDE,   /* inside "(.*\/)?": left after a slash */
	TOKEN_BEGIN,    /* ^ \A */
	TOKEN_END,      /* \z */
	TOKEN_WORD,     /* \b */
	TOKEN_NOT_WORD, /* \B */
};

struct range {
	gunichar low, high;
};

struct token {
	enum token_kind kind;
	bool negated;
	gunichar rune;
	guint first_range, n_ranges; /* in path_regex.ranges */
	uint64_t ascii[2];           /* the class below 128, negation applied */
};

struct path_regex {
	GArray *tokens; /* of struct token */
	GArray *ranges; /* of struct range */
	char *prefix;   /* literal prefix and suffix, for quick rejection */
	char *suffix;
	size_t n_prefix, n_suffix;
	size_t min_runes;
};

struct parser {
	path_regex *re;
	const char *p, *end;
};

static const struct token *token_at(const path_regex *re, guint i)
{
	return &g_array_index(re->tokens, struct token, i);
}

static bool range_has(const path_regex *re, const struct token *t, gunichar rune)
{
	for (guint i = 0; i < t->n_ranges; i++) {
		const struct range *r = &g_array_index(re->ranges, struct range, t->first_range + i);
		if (r->low <= rune && rune <= r->high)
			return true;
	}
	return false;
}

static bool class_has(const path_regex *re, const struct token *t, gunichar rune)
{
	if (rune < 128)
		return t->ascii[rune / 64] >> (rune % 64) & 1;
	return range_has(re, t, rune) != t->negated;
}

static void range_add(path_regex *re, gunichar low, gunichar high)
{
	struct range r = {low, high};
	g_array_append_val(re->ranges, r);
}

static void token_add(path_regex *re, struct token t)
{
	if (t.kind == TOKEN_CLASS || t.kind == TOKEN_STAR) {
		t.n_ranges = re->ranges->len - t.first_range;
		for (gunichar rune = 0; rune < 128; rune++)
			if (range_has(re, &t, rune) != t.negated)
				t.ascii[rune / 64] |= 1ULL << (rune % 64);
	}
	g_array_append_val(re->tokens, t);
}

/* Adds the ranges of \d \s \w; upper case adds the complement. False if c is not a class. */
static bool perl_class(path_regex *re, char c)
{
	static const struct range digit[] = {{'0', '9'}};
	static const struct range space[] = {{'\t', '\n'}, {'\f', '\r'}, {' ', ' '}};
	static const struct range word[] = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
	static const struct {
		char name;
		const struct range *ranges;
		size_t n;
	} table[] = {{'d', digit, 1}, {'s', space, 3}, {'w', word, 4}};
	for (size_t i = 0; i < G_N_ELEMENTS(table); i++) {
		if (g_ascii_tolower(c) != table[i].name)
			continue;
		gunichar next = 0;
		for (size_t k = 0; k < table[i].n; k++) {
			const struct range *r = &table[i].ranges[k];
			if (c == table[i].name)
				range_add(re, r->low, r->high);
			else if (next < r->low)
				range_add(re, next, r->low - 1);
			next = r->high + 1;
		}
		if (c != table[i].name)
			range_add(re, next, 0x10FFFF);
		return true;
	}
	return false;
}

/* Parses \xHH and \x{H..}; *p is behind the x. */
static bool hex_escape(struct parser *s, gunichar *ret)
{
	gunichar value = 0;
	unsigned digits = 0;
	while (digits < 2 && s->p < s->end && g_ascii_isxdigit(*s->p)) {
		value = value * 16 + (gunichar)g_ascii_xdigit_value(*s->p++);
		digits++;
	}
	*ret = value;
	return digits == 2;
}

/* Parses a literal escape; s->p is behind the backslash. */
static bool escaped_rune(struct parser *s, gunichar *ret)
{
	static const char letters[] = "afnrtv", values[] = "\a\f\n\r\t\v";
	if (s->p == s->end)
		return false;
	char c = *s->p++;
	const char *letter = strchr(letters, c);
	if (letter) {
		*ret = (gunichar)values[letter - letters];
		return true;
	}
	if (c == 'x')
		return hex_escape(s, ret);
	*ret = (unsigned char)c;
	return (unsigned char)c < 0x80 && !g_ascii_isalnum(c);
}

static bool class_rune(struct parser *s, gunichar *ret)
{
	if (s->p == s->end)
		return false;
	if (*s->p == '\\') {
		s->p++;
		return escaped_rune(s, ret);
	}
	s->p += rune_decode(s->p, s->end, ret);
	return true;
}

/* Parses "[:alpha:]" inside a class. ret_found is false if there is none. */
static bool posix_class(struct parser *s, bool *ret_found)
{
	static const struct {
		const char *name;
		const char *pairs;
	} table[] = {{"alnum", "09AZaz"},   {"alpha", "AZaz"},   {"ascii", "\x01\x7f"}, {"blank", "\t\t  "},
		     {"digit", "09"},       {"graph", "!~"},     {"lower", "az"},       {"print", " ~"},
		     {"punct", "!/:@[`{~"}, {"space", "\t\r  "}, {"upper", "AZ"},       {"word", "09AZaz__"},
		     {"xdigit", "09AFaf"}};
	*ret_found = false;
	if (s->end - s->p < 2 || s->p[1] != ':')
		return true;
	const char *close = g_strstr_len(s->p + 2, s->end - s->p - 2, ":]");
	if (!close)
		return true;
	for (size_t i = 0; i < G_N_ELEMENTS(table); i++) {
		size_t n = strlen(table[i].name);
		if ((size_t)(close - s->p) != n + 2 || memcmp(s->p + 2, table[i].name, n) != 0)
			continue;
		for (const char *pair = table[i].pairs; *pair; pair += 2)
			range_add(s->re, (gunichar)pair[0], (gunichar)pair[1]);
		s->p = close + 2;
		*ret_found = true;
		return true;
	}
	return false;
}

static bool class_item(struct parser *s)
{
	bool found = false;
	if (*s->p == '[' && (!posix_class(s, &found) || found))
		return found;
	if (*s->p == '\\' && s->p + 1 < s->end && perl_class(s->re, s->p[1])) {
		s->p += 2;
		return true;
	}
	gunichar low, high;
	if (!class_rune(s, &low))
		return false;
	high = low;
	if (s->end - s->p >= 2 && s->p[0] == '-' && s->p[1] != ']') {
		s->p++;
		if (!class_rune(s, &high) || high < low)
			return false;
	}
	range_add(s->re, low, high);
	return true;
}

/* Call with s->p behind '['. */
static bool parse_class(struct parser *s)
{
	struct token t = {.kind = TOKEN_CLASS, .first_range = s->re->ranges->len};
	if (s->p < s->end && *s->p == '^') {
		t.negated = true;
		s->p++;
	}
	for (bool first = true;; first = false) {
		if (s->p == s->end)
			return false;
		if (*s->p == ']' && !first)
			break;
		if (!class_item(s))
			return false;
	}
	s->p++;
	if (s->p < s->end && *s->p == '*') {
		t.kind = TOKEN_STAR;
		s->p++;
	}
	token_add(s->re, t);
	return true;
}

/* Call with s->p behind the backslash. */
static bool parse_escape(struct parser *s)
{
	static const struct {
		char c;
		enum token_kind kind;
	} asserts[] = {{'A', TOKEN_BEGIN}, {'z', TOKEN_END}, {'b', TOKEN_WORD}, {'B', TOKEN_NOT_WORD}};
	struct token t = {.kind = TOKEN_CLASS, .first_range = s->re->ranges->len};
	if (s->p < s->end && perl_class(s->re, *s->p)) {
		s->p++;
		token_add(s->re, t);
		return true;
	}
	for (size_t i = 0; i < G_N_ELEMENTS(asserts); i++)
		if (s->p < s->end && *s->p == asserts[i].c) {
			s->p++;
			token_add(s->re, (struct token){.kind = asserts[i].kind});
			return true;
		}
	t.kind = TOKEN_RUNE;
	if (!escaped_rune(s, &t.rune))
		return false;
	token_add(s->re, t);
	return true;
}

static bool skip_text(struct parser *s, const char *text)
{
	size_t n = strlen(text);
	if ((size_t)(s->end - s->p) < n || memcmp(s->p, text, n) != 0)
		return false;
	s->p += n;
	return true;
}

static bool parse_dirs(struct parser *s)
{
	path_regex *re = s->re;
	bool again = re->tokens->len > 0 && token_at(re, re->tokens->len - 1)->kind == TOKEN_INSIDE;
	if (!skip_text(s, "(.*/)?"))
		return false;
	if (!again) {
		token_add(re, (struct token){.kind = TOKEN_DIRS});
		token_add(re, (struct token){.kind = TOKEN_INSIDE});
	}
	return true;
}

static bool parse_any(struct parser *s)
{
	if (!skip_text(s, ".*"))
		return false;
	struct token t = {.kind = TOKEN_STAR, .negated = true, .first_range = s->re->ranges->len};
	range_add(s->re, '\n', '\n');
	token_add(s->re, t);
	return true;
}

static bool parse(struct parser *s)
{
	while (s->p < s->end) {
		bool ok = true;
		switch (*s->p) {
		case '(':
			ok = parse_dirs(s);
			break;
		case '.':
			ok = parse_any(s);
			break;
		case '[':
			s->p++;
			ok = parse_class(s);
			break;
		case '\\':
			s->p++;
			ok = parse_escape(s);
			break;
		case '^':
			s->p++;
			token_add(s->re, (struct token){.kind = TOKEN_BEGIN});
			break;
		case '*':
			ok = false;
			break;
		default: {
			struct token t = {.kind = TOKEN_RUNE};
			s->p += rune_decode(s->p, s->end, &t.rune);
			token_add(s->re, t);
		}
		}
		if (!ok)
			return false;
	}
	return true;
}

/* Returns the literal text of tokens from `from` on in the given direction. */
static void find_literals(path_regex *re)
{
	g_autoptr(GString) prefix = g_string_new(NULL);
	guint n = re->tokens->len, last = n;
	for (guint i = 0; i < n && token_at(re, i)->kind == TOKEN_RUNE && token_at(re, i)->rune != RUNE_ERROR; i++)
		g_string_append_unichar(prefix, token_at(re, i)->rune);
	while (last > 0 && token_at(re, last - 1)->kind == TOKEN_RUNE && token_at(re, last - 1)->rune != RUNE_ERROR)
		last--;
	g_autoptr(GString) suffix = g_string_new(NULL);
	for (guint i = last; i < n; i++)
		g_string_append_unichar(suffix, token_at(re, i)->rune);
	for (guint i = 0; i < n; i++)
		re->min_runes += token_at(re, i)->kind == TOKEN_RUNE || token_at(re, i)->kind == TOKEN_CLASS;
	re->n_prefix = prefix->len;
	re->n_suffix = suffix->len;
	re->prefix = g_string_free(g_steal_pointer(&prefix), FALSE);
	re->suffix = g_string_free(g_steal_pointer(&suffix), FALSE);
}

path_regex *path_regex_new(const char *text, GError **error)
{
	g_autoptr(path_regex) re = g_new0(path_regex, 1);
	re->tokens = g_array_new(FALSE, FALSE, sizeof(struct token));
	re->ranges = g_array_new(FALSE, FALSE, sizeof(struct range));
	struct parser s = {.re = re, .p = text, .end = text + strlen(text)};
	if (!parse(&s)) {
		error_set(error, ERROR_INVALID_ARGUMENT, "syntax error in pattern");
		return NULL;
	}
	find_literals(re);
	return g_steal_pointer(&re);
}

void path_regex_free(path_regex *re)
{
	if (!re)
		return;
	g_array_unref(re->tokens);
	g_array_unref(re->ranges);
	g_free(re->prefix);
	g_free(re->suffix);
	g_free(re);
}

static bool is_word(const char *path, size_t n, size_t i)
{
	return i < n && (g_ascii_isalnum(path[i]) || path[i] == '_');
}

static bool assert_holds(enum token_kind kind, const char *path, size_t n, size_t pos)
{
	bool boundary = (pos > 0 && is_word(path, n, pos - 1)) != is_word(path, n, pos);
	return kind == TOKEN_BEGIN ? pos == 0 : kind == TOKEN_END ? pos == n : boundary == (kind == TOKEN_WORD);
}

/* Adds states reachable without a rune. Edges only go forward, so one pass is enough. */
static void close_states(const path_regex *re, uint8_t *states, const char *path, size_t n, size_t pos)
{
	for (guint i = 0; i < re->tokens->len; i++) {
		if (!states[i])
			continue;
		switch (token_at(re, i)->kind) {
		case TOKEN_STAR:
			states[i + 1] = 1;
			break;
		case TOKEN_DIRS:
			states[i + 1] = states[i + 2] = 1;
			break;
		case TOKEN_BEGIN:
		case TOKEN_END:
		case TOKEN_WORD:
		case TOKEN_NOT_WORD:
			if (assert_holds(token_at(re, i)->kind, path, n, pos))
				states[i + 1] = 1;
			break;
		case TOKEN_RUNE:
		case TOKEN_CLASS:
		case TOKEN_INSIDE:
			break;
		}
	}
}

/* Advances every state by one rune; in and out do not overlap, out is zeroed. False if no state is left. */
static bool step_states(const path_regex *re, const uint8_t *in, uint8_t *out, gunichar rune)
{
	bool any = false;
	for (guint i = 0; i < re->tokens->len; i++) {
		if (!in[i])
			continue;
		const struct token *t = token_at(re, i);
		guint to = i;
		switch (t->kind) {
		case TOKEN_RUNE:
			if (t->rune != rune)
				continue;
			to = i + 1;
			break;
		case TOKEN_CLASS:
			if (!class_has(re, t, rune))
				continue;
			to = i + 1;
			break;
		case TOKEN_STAR:
			if (!class_has(re, t, rune))
				continue;
			break;
		case TOKEN_INSIDE:
			if (rune == '\n')
				continue;
			if (rune == '/')
				out[i + 1] = 1;
			break;
		case TOKEN_DIRS:
		case TOKEN_BEGIN:
		case TOKEN_END:
		case TOKEN_WORD:
		case TOKEN_NOT_WORD:
			continue;
		}
		out[to] = 1;
		any = true;
	}
	return any;
}

bool path_regex_match(const path_regex *re, const char *path, size_t n)
{
	if (n < re->min_runes || n < re->n_prefix || n < re->n_suffix || memcmp(path, re->prefix, re->n_prefix) != 0 ||
	    memcmp(path + n - re->n_suffix, re->suffix, re->n_suffix) != 0)
		return false;
	size_t size = re->tokens->len + 1;
	uint8_t small[512] = {0};
	g_autofree uint8_t *big = 2 * size > sizeof(small) ? g_malloc0(2 * size) : NULL;
	uint8_t *states = big ? big : small, *next = states + size;
	states[0] = 1;
	for (size_t pos = 0; pos < n;) {
		gunichar rune;
		close_states(re, states, path, n, pos);
		pos += rune_decode(path + pos, path + n, &rune);
		memset(next, 0, size);
		if (!step_states(re, states, next, rune))
			return false;
		uint8_t *swap = states;
		states = next;
		next = swap;
	}
	close_states(re, states, path, n, n);
	return states[re->tokens->len];
}
