/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/dockerfile/scan_line.h"
#include "base/limits.h"
#include "format/gotype.h"
#include "frontend/dockerfile/text.h"
#include <jansson.h>
#include <string.h>

/* --- parser directives --- */

static const char *const directive_keys[] = {"syntax", "escape", "check"};
enum { KEY_ESCAPE = 1 };

static int directive_key(const char *key)
{
	for (size_t i = 0; i < G_N_ELEMENTS(directive_keys); i++)
		if (strcmp(directive_keys[i], key) == 0)
			return (int)i;
	return -1;
}

static bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r' && c != '\v');
}

/* Parses key = value; blanks around both are removed. */
static bool directive_split(arena *a, const char *p, const char *end, const char **ret_key, const char **ret_value)
{
	const char *key = p;
	if (p == end || !g_ascii_isalpha(*p))
		return false;
	while (p < end && g_ascii_isalnum(*p))
		p++;
	*ret_key = text_lower(a, arena_strndup(a, key, (size_t)(p - key)));
	while (p < end && is_blank(*p))
		p++;
	if (p == end || *p++ != '=')
		return false;
	while (p < end && is_blank(*p))
		p++;
	while (end > p && is_blank(end[-1]))
		end--;
	*ret_value = arena_strndup(a, p, (size_t)(end - p));
	return p < end;
}

bool directive_reader_line(struct directive_reader *d, arena *a, const char *p, const char *end, bool *ret_directive,
			   GError **error)
{
	if (d->done)
		return true;
	size_t n = strlen(d->comment);
	int key = -1;
	if ((size_t)(end - p) >= n && memcmp(p, d->comment, n) == 0 &&
	    directive_split(a, text_skip_space(p + n, end), end, &d->key, &d->value))
		key = directive_key(d->key);
	if (key < 0) {
		d->done = true;
		return true;
	}
	if (d->seen & (1U << key))
		return error_set(error, ERROR_INVALID_ARGUMENT, "only one %s parser directive can be used", d->key);
	d->seen |= 1U << key;
	if (ret_directive)
		*ret_directive = true;
	if (key != KEY_ESCAPE)
		return true;
	if (strcmp(d->value, "\\") != 0 && strcmp(d->value, "`") != 0)
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid escape token '%s' does not match ` or \\",
				 d->value);
	d->escape = d->value[0];
	return true;
}

/* --- words --- */

static bool is_separator(char c)
{
	return c == '\t' || c == '\v' || c == '\f' || c == '\r' || c == ' ';
}

static const char *separator(const char *p)
{
	while (*p && !is_separator(*p))
		p++;
	return p;
}

static void split_list(arena *a, const char *text, struct vec *ret)
{
	if (!*text)
		return;
	for (const char *p = text;;) {
		const char *stop = separator(p);
		arena_push(a, ret, arena_strndup(a, p, (size_t)(stop - p)));
		if (!*stop)
			return;
		while (is_separator(*stop))
			stop++;
		p = stop;
	}
}

/* Splits into words that keep quotes and escapes (ENV, LABEL, ARG). */
static void split_quoted(arena *a, const char *text, char escape, struct vec *ret)
{
	g_autoptr(GString) word = g_string_new(NULL);
	const char *end = text + strlen(text);
	char quote = 0;
	bool in_word = false;
	for (const char *p = text; p < end;) {
		size_t n;
		gunichar c = text_rune(p, end, &n);
		const char *at = p;
		p += n;
		if (!quote && text_is_space(c)) {
			if (in_word)
				arena_push(a, ret, arena_strndup(a, word->str, word->len));
			g_string_truncate(word, 0);
			in_word = false;
			continue;
		}
		if (c == (gunichar)escape && quote != '\'') {
			if (p == end) /* an escape at the very end is dropped */
				break;
			size_t m;
			text_rune(p, end, &m);
			g_string_append_len(word, at, (gssize)(n + m));
			p += m;
			in_word = true;
			continue;
		}
		if (quote && c == (gunichar)quote)
			quote = 0;
		else if (!quote && (c == '\'' || c == '"'))
			quote = (char)c;
		g_string_append_len(word, at, (gssize)n);
		in_word = true;
	}
	if (in_word && word->len)
		arena_push(a, ret, arena_strndup(a, word->str, word->len));
}

static void add_pair(arena *a, struct vec *ret, const char *key, size_t key_len, const char *value,
		     const char *delimiter)
{
	arena_push(a, ret, arena_strndup(a, key, key_len));
	arena_push(a, ret, arena_strdup(a, value));
	arena_push(a, ret, delimiter);
}

static bool split_pairs(arena *a, const char *text, const char *keyword, char escape, struct vec *ret, GError **error)
{
	struct vec words = {0};
	split_quoted(a, text, escape, &words);
	if (!words.n)
		return true;
	if (!strchr(words.items[0], '=')) { /* old form: the rest of the line is the value */
		const char *stop = separator(text), *value = stop;
		while (is_separator(*value))
			value++;
		if (!*stop)
			return error_set(error, ERROR_INVALID_ARGUMENT, "%s must have two arguments", keyword);
		add_pair(a, ret, text, (size_t)(stop - text), value, "");
		return true;
	}
	for (size_t i = 0; i < words.n; i++) {
		const char *word = words.items[i], *equals = strchr(word, '=');
		if (!equals)
			return error_set(error, ERROR_INVALID_ARGUMENT,
					 "Syntax error - can't find = in %s. Must be of the form: name=value",
					 text_quote(a, word));
		add_pair(a, ret, word, (size_t)(equals - word), equals + 1, "=");
	}
	return true;
}

/* Parses a JSON array of strings. Other text is not an error: the caller then uses the shell form. */
static bool is_hex4(const char *p, const char *end, unsigned *ret)
{
	*ret = 0;
	for (int i = 0; i < 4; i++, p++) {
		if (p >= end || !g_ascii_isxdigit(*p))
			return false;
		*ret = *ret << 4 | (unsigned)g_ascii_xdigit_value(*p);
	}
	return true;
}

/* Copies the escape at p and returns the text after it; half a surrogate pair becomes U+FFFD. */
static const char *copy_escape(const char *p, const char *end, GString *out)
{
	unsigned high, low;
	size_t n = MIN(end - p, 2);
	if (n < 2 || p[1] != 'u' || !is_hex4(p + 2, end, &high) || high < 0xd800 || high > 0xdfff) {
		g_string_append_len(out, p, (gssize)n);
		return p + n;
	}
	if (high < 0xdc00 && end - p >= 12 && p[6] == '\\' && p[7] == 'u' && is_hex4(p + 8, end, &low) &&
	    low >= 0xdc00 && low <= 0xdfff) {
		g_string_append_len(out, p, 12);
		return p + 12;
	}
	g_string_append(out, "\\ufffd");
	return p + 6;
}

/* Replaces invalid UTF-8 in strings by U+FFFD, as Go's decoder does; jansson rejects it. */
static char *go_json(const char *text, const char *end)
{
	g_autofree char *valid = g_utf8_make_valid(text, end - text);
	GString *out = g_string_sized_new((gsize)(end - text));
	const char *stop = valid + strlen(valid);
	for (const char *p = valid; p < stop;) {
		if (*p == '\\')
			p = copy_escape(p, stop, out);
		else
			g_string_append_c(out, *p++);
	}
	return g_string_free(out, FALSE);
}

static bool split_json(arena *a, const char *text, struct vec *ret, bool *ret_json, GError **error)
{
	const char *end = text + strlen(text);
	text = text_skip_space(text, end);
	*ret_json = false;
	if (*text != '[')
		return true;
	json_error_t why;
	g_autofree char *json = go_json(text, end);
	json_t *array = json_loads(json, JSON_ALLOW_NUL, &why);
	if (!array)
		return true;
	*ret_json = true;
	bool ok = true;
	for (size_t i = 0; ok && i < json_array_size(array); i++) {
		const char *item = json_string_value(json_array_get(array, i));
		if (item)
			arena_push(a, ret, arena_strdup(a, item));
		else
			ok = error_set(error, ERROR_INVALID_ARGUMENT,
				       "when using JSON array syntax, arrays must be comprised of strings only");
	}
	json_decref(array);
	return ok;
}

static bool split_json_or(arena *a, const char *text, bool list, struct node *node, GError **error)
{
	if (!split_json(a, text, &node->args, &node->json, error))
		return false;
	if (node->json)
		return true;
	if (list)
		split_list(a, text, &node->args);
	else if (*text)
		arena_push(a, &node->args, text);
	return true;
}

static bool split_healthcheck(arena *a, const char *text, struct node *node, GError **error)
{
	const char *end = text + strlen(text), *stop = text;
	while (stop < end && !text_is_space((unsigned char)*stop))
		stop++;
	if (stop == text)
		return true;
	const char *rest = stop;
	while (rest < end && text_is_space((unsigned char)*rest))
		rest++;
	arena_push(a, &node->args, arena_strndup(a, text, (size_t)(stop - text)));
	return split_json_or(a, rest, false, node, error);
}

/* --- flags before the arguments --- */

/* Works on bytes, not runes: a byte of 0x80 and above becomes the rune of that number. */
static void append_byte(GString *s, char c)
{
	text_append_rune(s, (unsigned char)c);
}

/* Reads one word that begins with "--" and removes quotes and escapes. Returns the text after it. */
static const char *read_flag(const char *p, char escape, GString *word, bool *ret_quoted)
{
	char quote = 0;
	g_string_truncate(word, 0);
	*ret_quoted = false;
	for (; *p; p++) {
		if (!quote && text_is_space((unsigned char)*p))
			break;
		if (!quote && (*p == '\'' || *p == '"')) {
			quote = *p;
			*ret_quoted = true;
		} else if (quote && *p == quote) {
			quote = 0;
		} else if (*p == escape) {
			if (p[1])
				append_byte(word, *++p);
		} else {
			append_byte(word, *p);
		}
	}
	return p;
}

static const char *split_flags(arena *a, const char *p, char escape, struct vec *ret)
{
	g_autoptr(GString) word = g_string_new(NULL);
	for (;;) {
		while (*p && text_is_space((unsigned char)*p))
			p++;
		if (p[0] != '-' || p[1] != '-')
			return p;
		bool quoted;
		p = read_flag(p, escape, word, &quoted);
		if (strcmp(word->str, "--") == 0)
			return p;
		if (quoted || word->len)
			arena_push(a, ret, arena_strndup(a, word->str, word->len));
	}
}

/* --- nodes --- */

static struct node *split_head(arena *a, const char *line, char escape, const char **ret_rest)
{
	struct node *node = arena_make(a, struct node);
	node->original = line;
	const char *text = text_trim(a, line), *stop = separator(text);
	node->keyword = arena_strndup(a, text, (size_t)(stop - text));
	while (is_separator(*stop))
		stop++;
	*ret_rest = text_trim(a, split_flags(a, stop, escape, &node->flags));
	return node;
}

static bool split_rest(arena *a, struct node *node, const struct keyword *k, const char *rest, char escape,
		       GError **error)
{
	switch (k->form) {
	case FORM_JSON_OR_LIST:
		return split_json_or(a, rest, true, node, error);
	case FORM_JSON_OR_TEXT:
		return split_json_or(a, rest, false, node, error);
	case FORM_HEALTHCHECK:
		return split_healthcheck(a, rest, node, error);
	case FORM_LIST:
		split_list(a, rest, &node->args);
		return true;
	case FORM_PAIRS:
		return split_pairs(a, rest, keyword_upper(k->kind), escape, &node->args, error);
	case FORM_QUOTED_WORDS:
		split_quoted(a, rest, escape, &node->args);
		return true;
	case FORM_TEXT:
		if (*rest)
			arena_push(a, &node->args, rest);
		return true;
	case FORM_ONBUILD:
		return true;
	}
	return true;
}

struct node *node_split(arena *a, const char *line, char escape, GError **error)
{
	const char *rest;
	struct node *outer = NULL;
	for (struct node *node;; outer = node) {
		node = split_head(a, line, escape, &rest);
		const struct keyword *k = keyword_find(node->keyword);
		if (k && !split_rest(a, node, k, rest, escape, error))
			return NULL;
		if (outer) {
			outer->trigger = node;
			arena_push(a, &outer->args, node->keyword);
		}
		/* The trigger of an ONBUILD is split too; an ONBUILD as its trigger is refused later. */
		if (outer || !k || k->form != FORM_ONBUILD || !*rest)
			return outer ? outer : node;
		line = rest;
	}
}

bool node_takes_heredocs(const struct node *node)
{
	if (node->trigger)
		node = node->trigger;
	const struct keyword *k = keyword_find(node->keyword);
	return k && k->heredocs && !node->json;
}
