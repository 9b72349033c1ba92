/* SPDX-License-Identifier: Apache-2.0 */
/*
 * selector: which texts a rule is about, and what they become: as it stands, with wildcards, or a regular expression.
 *
 *	selector *s = selector_new(SELECTOR_WILDCARD, "docker-image://docker.io/library/golang:*", error);
 *	selector_match(s, identifier, &matches, error);
 *	char *text = selector_format(s, identifier, "docker-image://mirror.io/golang:${1}", max, error);
 *
 * "*" stands for any run of bytes but newlines, the longest one first. A selector also matches its own text.
 * Source policies of llb-and-solver.md section 24. Thread: any, immutable after new.
 */
#pragma once
#include "base/error.h"

typedef struct selector selector;
enum selector_kind { SELECTOR_WILDCARD, SELECTOR_EXACT, SELECTOR_REGEX };

/* Errors: INVALID_ARGUMENT, "**" or a regular expression that is none. */
selector *selector_new(enum selector_kind kind, const char *text, GError **error);
void selector_free(selector *s);
bool selector_match(const selector *s, const char *subject, bool *ret, GError **error);
/*
 * The template with what the subject has in place of the wildcards or groups; owned. EXACT: the template as it is.
 * A subject without a match stays. Errors: RESOURCE_EXHAUSTED, longer than max.
 */
char *selector_format(const selector *s, const char *subject, const char *template, size_t max, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(selector, selector_free)
