/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gorune: decodes runes and trims text as Go does, for the parsers of this module.
 *
 *	gunichar r; p += rune_decode(p, end, &r);      an invalid byte is U+FFFD of width 1
 *
 * Thread: any.
 */
#pragma once
#include <glib.h>

#define RUNE_ERROR 0xFFFD

/* Requires p < end. Returns the number of bytes consumed, at least 1. */
size_t rune_decode(const char *p, const char *end, gunichar *ret_rune);
/* Implements strings.TrimSpace, newly allocated. */
char *text_trim_space(const char *text);
