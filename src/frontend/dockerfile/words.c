/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/dockerfile/words.h"
#include "base/limits.h"
#include "format/gotype.h"
#include "frontend/dockerfile/text.h"
#include <string.h>

/* Context of a character. All contexts except TOP end with a specific character. */
enum { FRAMES = 64 }; /* nested contexts; more are an error */
enum frame_kind { TOP, QUOTED, WORD, PATTERN, REPLACEMENT };
struct frame {
	enum frame_kind kind;
	bool raw_escapes;
	GString *out;
	char *name;         /* name of the variable, in the arena */
	char *modifier;     /* text of the modifier, e.g. ":-" */
	gunichar operation; /* '-', '+', '?', '#', '%', or any other character found there */
	bool null_is_unset;
	bool all; /* // */
	char *pattern;
};
struct lexer {
	const struct words *w;
	arena *a;
	const struct words_env *env;
	struct words_result *ret;
	const char *p, *end;
	struct frame frames[FRAMES];
	size_t depth;  /* number of frames in use, at least 1 */
	GString *part; /* bytes of the current word */
	bool in_word;
	bool split; /* a character was seen that can produce several words */
};

static const char *empty_get(const struct words_env *env, const char *name)
{
	return NULL;
}
const struct words_env words_env_empty = {empty_get};

static bool spend(const struct lexer *x, size_t n, GError **error)
{
	if (x->w->work && (*x->w->work -= (int64_t)n) < 0)
		return error_set(error, ERROR_RESOURCE_EXHAUSTED, "too much variable expansion in one file");
	return true;
}

static struct frame *top(struct lexer *x)
{
	return &x->frames[x->depth - 1];
}

static bool at_end(const struct lexer *x)
{
	return x->p >= x->end;
}

static gunichar peek(const struct lexer *x)
{
	size_t n;
	return at_end(x) ? 0 : text_rune(x->p, x->end, &n);
}

static gunichar next(struct lexer *x)
{
	size_t n;
	gunichar c = text_rune(x->p, x->end, &n);
	x->p += n;
	return c;
}

/* --- words: only the text of the outermost frame is split --- */

static void word_end(struct lexer *x)
{
	if (x->part->len)
		arena_push(x->a, &x->ret->words, arena_strndup(x->a, x->part->str, x->part->len));
	g_string_truncate(x->part, 0);
	x->in_word = false;
}

static void word_add_raw(struct lexer *x, gunichar c)
{
	text_append_rune(x->part, c);
	x->in_word = true;
}

static void word_add(struct lexer *x, gunichar c)
{
	if (!text_is_space(c))
		word_add_raw(x, c);
	else if (x->in_word && x->part->len)
		word_end(x);
}

/* Text from a quote (not split) or a variable (split again) is appended to the frame below. */
static bool deliver(struct lexer *x, const char *text, size_t n, bool quoted, GError **error)
{
	struct frame *f = top(x);
	if (!spend(x, n, error))
		return false;
	if (f->out->len + n > (size_t)LIMIT_WORD_BYTES)
		return error_set(error, ERROR_RESOURCE_EXHAUSTED, "expanded word larger than %lld bytes",
				 LIMIT_WORD_BYTES);
	g_string_append_len(f->out, text, (gssize)n);
	if (f->kind != TOP)
		return true;
	if (quoted) {
		g_string_append_len(x->part, text, (gssize)n);
		x->in_word = true;
		return true;
	}
	for (const char *p = text; p < text + n;) {
		size_t len;
		word_add(x, text_rune(p, text + n, &len));
		p += len;
	}
	return true;
}

static bool push(struct lexer *x, enum frame_kind kind, bool raw_escapes, GError **error)
{
	if (x->depth == FRAMES)
		return error_set(error, ERROR_RESOURCE_EXHAUSTED, "expansions nested deeper than %d", FRAMES);
	struct frame *f = &x->frames[x->depth++];
	*f = (struct frame){.kind = kind, .raw_escapes = raw_escapes, .out = g_string_new(NULL)};
	/* A nested word starts a new word buffer: the text before "${v:-" in the same word is not in `words`. */
	if (kind != QUOTED)
		g_string_truncate(x->part, 0);
	return true;
}

/* --- variables --- */

static const char *lookup(struct lexer *x, const char *name)
{
	const char *value = x->env->get(x->env, name);
	struct vec *list = value ? &x->ret->matched : &x->ret->unmatched;
	if (x->w->work)
		*x->w->work -= (int64_t)list->n; /* reported when the value is used */
	if (!vec_has(list, name))
		arena_push(x->a, list, name);
	return value;
}

static bool is_name_char(gunichar c)
{
	if (c < 0x80)
		return g_ascii_isalnum((char)c) || c == '_';
	return g_unichar_isalpha(c) || g_unichar_type(c) == G_UNICODE_DECIMAL_NUMBER;
}

static bool is_digit(gunichar c)
{
	return c < 0x80 ? g_ascii_isdigit((char)c) : g_unichar_type(c) == G_UNICODE_DECIMAL_NUMBER;
}

/* Reads a variable name; "" if there is none. A name that begins with a digit has only digits. */
static char *read_name(struct lexer *x)
{
	const char *start = x->p;
	if (!at_end(x) && is_digit(peek(x))) {
		while (!at_end(x) && is_digit(peek(x)))
			next(x);
	} else if (!at_end(x) && peek(x) < 0x80 && strchr("@*#?-$!", (int)peek(x)) && peek(x)) {
		next(x);
	} else {
		while (!at_end(x) && is_name_char(peek(x)))
			next(x);
	}
	return arena_strndup(x->a, start, (size_t)(x->p - start));
}

static bool deliver_text(struct lexer *x, const char *text, GError **error)
{
	return deliver(x, text, strlen(text), false, error);
}

static bool unsupported(const char *modifier, GError **error)
{
	return error_set(error, ERROR_INVALID_ARGUMENT, "unsupported modifier (%s) in substitution", modifier);
}

/* Handles ${name<modifier>: pushes a frame for the word after it. */
static bool open_modifier(struct lexer *x, char *name, GError **error)
{
	bool ended = at_end(x);
	gunichar c = ended ? 0xFFFD : next(x);
	g_autoptr(GString) modifier = g_string_new(NULL);
	g_string_append_unichar(modifier, c);
	if (c == '/' && !ended) {
		bool all = !at_end(x) && peek(x) == '/';
		if (all)
			next(x);
		if (!push(x, PATTERN, true, error))
			return false;
		top(x)->name = name;
		top(x)->all = all;
		return true;
	}
	bool null_is_unset = c == ':';
	if (null_is_unset) {
		c = at_end(x) ? 0xFFFD : next(x);
		g_string_append_unichar(modifier, c);
	} else if (!(c < 0x80 && strchr("+-?#%", (int)c)) || ended) {
		return unsupported(modifier->str, error);
	}
	bool raw = c == '#' || c == '%';
	if (null_is_unset && raw)
		return unsupported(modifier->str, error);
	if (!push(x, WORD, raw, error))
		return false;
	struct frame *f = top(x);
	f->name = name;
	f->modifier = arena_strdup(x->a, modifier->str);
	f->operation = c;
	f->null_is_unset = null_is_unset;
	return true;
}

static bool open_dollar(struct lexer *x, GError **error)
{
	next(x);
	if (at_end(x) || peek(x) != '{') {
		char *name = read_name(x);
		if (!*name)
			return deliver_text(x, "$", error);
		const char *value = lookup(x, name);
		if (!value && x->w->keep_unset)
			return deliver_text(x, "$", error) && deliver_text(x, name, error);
		return deliver_text(x, value ? value : "", error);
	}
	next(x);
	if (at_end(x))
		return error_set(error, ERROR_INVALID_ARGUMENT, "syntax error: missing '}'");
	if (peek(x) == '{' || peek(x) == '}' || peek(x) == ':')
		return error_set(error, ERROR_INVALID_ARGUMENT, "syntax error: bad substitution");
	char *name = read_name(x);
	if (at_end(x) || peek(x) != '}')
		return open_modifier(x, name, error);
	next(x);
	const char *value = lookup(x, name);
	if (!value && x->w->keep_unset)
		return deliver_text(x, arena_printf(x->a, "${%s}", name), error);
	return deliver_text(x, value ? value : "", error);
}

static bool require(const struct frame *f, const char *value, const char *word, GError **error)
{
	const char *text = word;
	if (!*word)
		text = value ? "is not allowed to be empty" : "is not allowed to be unset";
	return error_set(error, ERROR_INVALID_ARGUMENT, "%s: %s", f->name, text);
}

/* Completes ${name<modifier>word}. */
static bool close_word(struct lexer *x, struct frame *f, const char *word, GError **error)
{
	const char *value = lookup(x, f->name);
	if (!value && x->w->keep_unset)
		return deliver_text(x, arena_printf(x->a, "${%s%s%s}", f->name, f->modifier, word), error);
	bool missing = !value || (f->null_is_unset && !*value);
	switch (f->operation) {
	case '-':
		return deliver_text(x, missing ? word : value, error);
	case '+':
		return deliver_text(x, missing ? "" : word, error);
	case '?':
		return missing ? require(f, value, word, error) : deliver_text(x, value, error);
	case '#':
	case '%': {
		bool greedy = word[0] == (char)f->operation;
		char *trimmed;
		return words_trim(x->a, word + greedy, value ? value : "", f->operation == '%', greedy, x->w->work,
				  &trimmed, error) &&
		       deliver_text(x, trimmed, error);
	}
	default:
		return unsupported(f->modifier, error);
	}
}

static bool close_replacement(struct lexer *x, struct frame *f, const char *replacement, GError **error)
{
	const char *value = lookup(x, f->name);
	if (!value && x->w->keep_unset)
		return deliver_text(x, arena_printf(x->a, "${%s/%s/%s}", f->name, f->pattern, replacement), error);
	char *replaced;
	return words_replace(x->a, f->pattern, value ? value : "", replacement, f->all, x->w->work, &replaced, error) &&
	       deliver_text(x, replaced, error);
}

/* Handles the last character of a frame. */
static bool close_frame(struct lexer *x, GError **error)
{
	struct frame f = x->frames[--x->depth];
	g_autoptr(GString) out = f.out;
	x->frames[x->depth].out = NULL;
	if (f.kind != QUOTED)
		g_string_truncate(x->part, 0);
	switch (f.kind) {
	case QUOTED:
		if (x->w->keep_quotes)
			g_string_append_c(out, '"');
		return deliver(x, out->str, out->len, true, error);
	case PATTERN:
		if (!push(x, REPLACEMENT, true, error))
			return false;
		top(x)->name = f.name;
		top(x)->all = f.all;
		top(x)->pattern = arena_strndup(x->a, out->str, out->len);
		return true;
	case WORD:
		return close_word(x, &f, out->str, error);
	case REPLACEMENT:
		return close_replacement(x, &f, out->str, error);
	case TOP:
		break;
	}
	return true;
}

/* --- characters --- */

static bool single_quote(struct lexer *x, GError **error)
{
	const char *start = x->p++;
	const char *close = memchr(x->p, '\'', (size_t)(x->end - x->p));
	if (!close) {
		x->p = x->end;
		return error_set(error, ERROR_INVALID_ARGUMENT,
				 "unexpected end of statement while looking for matching single-quote");
	}
	x->p = close + 1;
	if (x->w->keep_quotes)
		return deliver(x, start, (size_t)(x->p - start), true, error);
	return deliver(x, start + 1, (size_t)(close - start - 1), true, error);
}

/* Blanks between "<<" and the word of a here-document belong to the word. */
static bool angle(struct lexer *x, GError **error)
{
	const char *start = x->p++;
	if (!at_end(x) && *x->p == '<') {
		x->p++;
		while (!at_end(x) && strchr("\t\r ", *x->p))
			x->p++;
	}
	return deliver(x, start, (size_t)(x->p - start), true, error);
}

static void put(struct lexer *x, gunichar c, bool raw)
{
	text_append_rune(top(x)->out, c);
	if (top(x)->kind != TOP)
		return;
	if (raw)
		word_add_raw(x, c);
	else
		word_add(x, c);
}

static void plain(struct lexer *x)
{
	gunichar c = next(x);
	if (c != (gunichar)x->w->escape) {
		put(x, c, false);
		return;
	}
	if (top(x)->raw_escapes)
		put(x, c, true);
	if (!at_end(x)) /* dropped at the end of a word */
		put(x, next(x), true);
}

static void plain_quoted(struct lexer *x)
{
	gunichar c = next(x);
	if (c == (gunichar)x->w->escape) {
		if (top(x)->raw_escapes)
			text_append_rune(top(x)->out, c);
		if (at_end(x))
			return;
		if (peek(x) == '"' || peek(x) == '$' || peek(x) == (gunichar)x->w->escape)
			c = next(x);
	}
	text_append_rune(top(x)->out, c);
}

static bool open_quote(struct lexer *x, GError **error)
{
	next(x);
	if (!push(x, QUOTED, top(x)->raw_escapes, error))
		return false;
	if (x->w->keep_quotes)
		g_string_append_c(top(x)->out, '"');
	return true;
}

static bool step(struct lexer *x, GError **error)
{
	gunichar c = peek(x);
	enum frame_kind kind = top(x)->kind;
	if (kind == QUOTED) {
		if (c == '"') {
			next(x);
			return close_frame(x, error);
		}
		if (c == '$')
			return open_dollar(x, error);
		plain_quoted(x);
		return true;
	}
	if ((c == '}' && (kind == WORD || kind == REPLACEMENT)) || (c == '/' && kind == PATTERN)) {
		next(x);
		return close_frame(x, error);
	}
	if (c == '$')
		return open_dollar(x, error);
	if (c == '<')
		return angle(x, error);
	if (c == '\'' && !x->w->plain_quotes)
		return single_quote(x, error);
	if (c == '"' && !x->w->plain_quotes)
		return open_quote(x, error);
	plain(x);
	return true;
}

/* At the end of the text, an open ${ is the error to report, even if another error occurred inside it. */
static void explain(struct lexer *x, GError **error)
{
	if (!error || error_is(*error, ERROR_RESOURCE_EXHAUSTED) || !at_end(x))
		return;
	for (size_t i = 1; i < x->depth; i++) {
		enum frame_kind kind = x->frames[i].kind;
		if (kind == QUOTED)
			continue;
		g_clear_error(error);
		error_set(error, ERROR_INVALID_ARGUMENT, "%s",
			  kind == PATTERN ? "syntax error: missing '/' in ${}" : "syntax error: missing '}'");
		return;
	}
}

static bool run(struct lexer *x, GError **error)
{
	while (!at_end(x))
		if (!step(x, error))
			return false;
	if (x->depth > 1)
		return error_set(error, ERROR_INVALID_ARGUMENT,
				 "unexpected end of statement while looking for matching double-quote");
	return true;
}

/* Reports whether expansion would not change the text. */
static bool is_plain(const struct words *w, const char *word, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)word[i];
		if (c >= 0x80 || c <= ' ' || c == '$' || c == '\'' || c == '"' || c == '<' ||
		    c == (unsigned char)w->escape)
			return false;
	}
	return n > 0;
}

bool words_expand(const struct words *w, arena *a, const char *word, const struct words_env *env,
		  struct words_result *ret, GError **error)
{
	size_t n = strlen(word);
	*ret = (struct words_result){0};
	if (is_plain(w, word, n)) {
		ret->text = arena_strndup(a, word, n);
		arena_push(a, &ret->words, ret->text);
		return true;
	}
	struct lexer x = {.w = w, .a = a, .env = env, .ret = ret, .p = word, .end = word + n, .depth = 1};
	if (g_str_has_prefix(word, "\xEF\xBB\xBF"))
		x.p += 3;
	x.frames[0] = (struct frame){.kind = TOP, .raw_escapes = w->keep_escapes, .out = g_string_sized_new(n)};
	x.part = g_string_new(NULL);
	GError *inner = NULL;
	bool ok = spend(&x, n, &inner) && run(&x, &inner);
	if (ok) {
		word_end(&x);
		ret->text = arena_strndup(a, x.frames[0].out->str, x.frames[0].out->len);
	} else {
		explain(&x, &inner);
		g_prefix_error(&inner, "failed to process %s: ", text_quote(a, word));
		g_propagate_error(error, inner);
	}
	for (size_t i = 0; i < x.depth; i++)
		if (x.frames[i].out)
			g_string_free(x.frames[i].out, TRUE);
	g_string_free(x.part, TRUE);
	return ok;
}
