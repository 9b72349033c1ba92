/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text: text functions with Go's semantics: runes, Unicode white space, trimming, path cleaning.
 *
 *	size_t n; gunichar c = text_rune(p, end, &n);
 *	char *s = text_trim(a, line);
 *
 * Thread: any.
 */
#pragma once
#include "base/arena.h"

/* Returns the rune at p (p < end) and its length; an invalid byte is U+FFFD of length 1. */
gunichar text_rune(const char *p, const char *end, size_t *ret_n);
void text_append_rune(GString *s, gunichar c);
bool text_is_space(gunichar c);
const char *text_skip_space(const char *p, const char *end);
char *text_trim(arena *a, const char *text);
/* path.Clean, and path.Join("/", p). */
char *text_path_clean(arena *a, const char *path);
char *text_path_rooted(arena *a, const char *path);
const char *text_path_base(arena *a, const char *path); /* path.Base */
const char *text_upper(arena *a, const char *text);     /* ASCII and Unicode upper case */
const char *text_lower(arena *a, const char *text);
bool text_is_lower(const char *text); /* no ASCII letter in upper case */
bool text_is_upper(const char *text);
const char *text_quote(arena *a, const char *text); /* strconv.Quote */
/* Returns the text, or a copy with U+FFFD for each byte that is not UTF-8. */
const char *text_valid(arena *a, const char *text);
bool text_equal_fold(const char *a, const char *b);
