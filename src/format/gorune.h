/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gorune: text read rune by rune and trimmed the way Go does it, for the readers of this room.
 *
 *	gunichar r; p += rune_decode(p, end, &r);      an invalid byte is U+FFFD of width 1
 *
 * Thread: any.
 */
#pragma once
#include <glib.h>

#define RUNE_ERROR 0xFFFD

/* p < end. Returns the bytes taken, at least 1. */
size_t rune_decode(const char *p, const char *end, gunichar *ret_rune);
/* strings.TrimSpace, newly allocated. */
char *text_trim_space(const char *text);
