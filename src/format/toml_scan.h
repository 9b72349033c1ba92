/* SPDX-License-Identifier: Apache-2.0 */
/*
 * toml_scan: scans the blanks, keys and scalar values of a TOML document.
 *
 *	struct toml_scan s;
 *	toml_scan_init(&s, bytes, n, error);
 *	toml_scan_blank(&s, true); toml_scan_key(&s, error); toml_scan_scalar(&s, &token, error);
 *
 * Private to format. The bytes are borrowed. Thread: one at a time.
 */
#pragma once
#include "format/toml.h"

struct toml_scan {
	const char *at, *end, *line_start;
	int line;
};
struct toml_token {
	enum toml_type type;
	char *text; /* owned by the caller */
	int64_t integer;
	double number;
	bool boolean;
};
/* Checks the size, and that the document is UTF-8 without NUL. */
bool toml_scan_init(struct toml_scan *s, const char *bytes, size_t n, GError **error);
int toml_scan_column(const struct toml_scan *s);
bool toml_scan_fail(const struct toml_scan *s, GError **error, const char *format, ...) G_GNUC_PRINTF(3, 4);
char toml_scan_peek(const struct toml_scan *s); /* NUL at the end */
bool toml_scan_take(struct toml_scan *s, const char *text);
/* Skips spaces and tabs; with lines also newlines and comments. */
void toml_scan_blank(struct toml_scan *s, bool lines);
/* Skips an optional comment, then a newline or the end. */
bool toml_scan_end_of_line(struct toml_scan *s, GError **error);
/* Parses a dotted key to its parts. */
GPtrArray *toml_scan_key(struct toml_scan *s, GError **error);
bool toml_scan_scalar(struct toml_scan *s, struct toml_token *ret, GError **error);
