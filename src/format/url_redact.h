/* SPDX-License-Identifier: Apache-2.0 */
/*
 * url_redact: removes credentials from URLs, for messages.
 *
 *	g_autofree char *shown = url_redact("https://u:p@host/x");           https://xxxxx:xxxxx@host/x
 *	g_autofree char *text = url_redact_text("ADD https://u:p@h/x /", -1);  "ADD https://xxxxx:xxxxx@h/x /"
 *
 * Pure. Thread: any.
 */
#pragma once
#include <glib.h>

/* Redacts one address. Owned. */
char *url_redact(const char *url);
/*
 * Redacts every address in a text that has a password, and each http address at the beginning of a word that has a user
 * name, which may be a token. n: bytes, -1: up to NUL; text may be NULL if n is 0. Owned, NUL-terminated; NULL: there
 * is nothing to redact.
 */
char *url_redact_text(const char *text, gssize n);
/* The same, or a copy; NULL for NULL. Owned. */
char *url_redact_copy(const char *text);
