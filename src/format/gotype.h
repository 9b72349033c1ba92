/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gotype: parses and formats values as Go's strconv, time and docker/go-units do.
 *
 *	int64_t ns; if (!duration_parse("1h2m3.5s", &ns, error)) ...
 *	int64_t bytes; if (!size_parse("512MB", &bytes, error)) ...
 *
 * Thread: any.
 */
#pragma once
#include "base/error.h"
#include <stdint.h>

/* strconv.ParseBool: 1 t T TRUE true True 0 f F FALSE false False. */
bool bool_parse(const char *text, bool *ret, GError **error);
/* strconv.ParseInt(text, base, 64): complete string, no spaces; base 0 as in Go. Errors: Go's text. */
bool int_parse(const char *text, int base, int64_t *ret, GError **error);
/* time.ParseDuration. */
bool duration_parse(const char *text, int64_t *ret_ns, GError **error);
/* time.Duration.String(): "48h0m0s", "1.5s". */
char *duration_format(int64_t ns);
/* units.RAMInBytes: 1024-based, "512MB" = 536870912. */
bool size_parse(const char *text, int64_t *ret_bytes, GError **error);
/* 1000-based "%.2f" with unit, as buildctl prints sizes: "24.39MB", "0B". */
char *size_format(int64_t bytes);
/* Formats RFC 3339 with the necessary nanosecond digits, UTC ("Z"); and parses it. */
char *time_format_rfc3339(int64_t ns);
bool time_parse_rfc3339(const char *text, int64_t *ret_ns, GError **error);
/* strconv.Quote and %q. */
char *go_quote(const char *text);
