/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/dockerfile/scan_line.h"
#include "frontend/dockerfile/text.h"
#include "frontend/dockerfile/words.h"
#include <string.h>

static size_t count_quotes(const char *text)
{
	size_t n = 0;
	for (; *text; text++)
		n += *text == '\'' || *text == '"';
	return n;
}

/* Parses digits, "<<", an optional "-", blanks and a word without "<"; returns NULL if the text differs. */
static const char *heredoc_word(const char *word, bool *ret_chomp)
{
	while (g_ascii_isdigit(*word))
		word++;
	if (word[0] != '<' || word[1] != '<')
		return NULL;
	word += 2;
	*ret_chomp = *word == '-';
	word += *ret_chomp;
	while (*word == ' ' || (*word >= '\t' && *word <= '\r' && *word != '\v'))
		word++;
	return *word && !strchr(word, '<') ? word : NULL;
}

struct heredoc *heredoc_parse(arena *a, const char *text)
{
	bool chomp = false;
	const char *word = heredoc_word(text, &chomp);
	if (!word)
		return NULL;
	struct words lex = {.escape = '\\', .keep_unset = true};
	struct words_result bare, quoted;
	if (!words_expand(&lex, a, word, &words_env_empty, &bare, NULL) || bare.words.n != 1)
		return NULL;
	lex.keep_quotes = true;
	if (!words_expand(&lex, a, word, &words_env_empty, &quoted, NULL) || quoted.words.n != 1)
		return NULL;
	struct heredoc *doc = arena_make(a, struct heredoc);
	doc->name = bare.words.items[0];
	doc->chomp = chomp;
	doc->content = "";
	/* If lexing removed a quote, the body is not expanded. */
	doc->expand = count_quotes(bare.words.items[0]) == count_quotes(quoted.words.items[0]);
	return doc;
}

void heredocs_find(arena *a, const char *line, struct vec *ret)
{
	struct words lex = {.escape = '\\', .keep_quotes = true, .keep_escapes = true, .keep_unset = true};
	struct words_result r;
	if (!words_expand(&lex, a, line, &words_env_empty, &r, NULL))
		return;
	for (size_t i = 0; i < r.words.n; i++) {
		struct heredoc *doc = heredoc_parse(a, r.words.items[i]);
		if (doc)
			arena_push(a, ret, doc);
	}
}

/* Removes the tabs at the beginning of each line. */
char *heredoc_chomp(arena *a, const char *content)
{
	char *out = arena_strdup(a, content), *w = out;
	bool start = true;
	for (const char *p = content; *p; p++) {
		if (start && *p == '\t')
			continue;
		start = *p == '\n';
		*w++ = *p;
	}
	*w = 0;
	return out;
}
