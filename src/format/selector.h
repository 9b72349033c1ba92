/* SPDX-License-Identifier: Apache-2.0 */
/*
 * selector: matches the texts that a rule applies to, and formats their replacements: exact text, wildcards, or a
 * regular expression.
 *
 *	selector *s = selector_new(SELECTOR_WILDCARD, "docker-image://docker.io/library/golang:*", error);
 *	selector_match(s, identifier, &matches, error);
 *	char *text = selector_format(s, identifier, "docker-image://mirror.io/golang:${1}", max, error);
 *
 * "*" matches any bytes except newlines, the longest text first. A selector also matches its own text. Used by source
 * policies. Thread: any, immutable after new.
 */
#pragma once
#include "base/error.h"

typedef struct selector selector;
enum selector_kind { SELECTOR_WILDCARD, SELECTOR_EXACT, SELECTOR_REGEX };

/* Errors: INVALID_ARGUMENT for "**" or an invalid regular expression. */
selector *selector_new(enum selector_kind kind, const char *text, GError **error);
void selector_free(selector *s);
bool selector_match(const selector *s, const char *subject, bool *ret, GError **error);
/*
 * Expands the template with the texts that the wildcards or groups match; owned. EXACT: returns the template unchanged.
 * A subject without a match is returned unchanged. Errors: RESOURCE_EXHAUSTED if longer than max.
 */
char *selector_format(const selector *s, const char *subject, const char *template, size_t max, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(selector, selector_free)
