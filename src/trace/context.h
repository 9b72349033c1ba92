/* SPDX-License-Identifier: Apache-2.0 */
/*
 * context: the header traceparent of W3C Trace Context; private to this module.
 *
 *	struct trace_parent p;
 *	if (trace_parent_parse(text, &p) && (p.flags & TRACE_SAMPLED)) ...
 *
 * https://www.w3.org/TR/trace-context/#traceparent-header Thread: any.
 */
#pragma once
#include "trace/trace.h"

#define TRACE_SPAN_ID_BYTES 8
#define TRACE_SAMPLED 1
#define TRACE_PARENT_CHARS 55

struct trace_parent {
	uint8_t trace[TRACE_ID_BYTES], span[TRACE_SPAN_ID_BYTES], flags;
};
/* False for NULL and for what the specification tells to ignore. */
bool trace_parent_parse(const char *text, struct trace_parent *ret);
char *trace_parent_format(const struct trace_parent *p);
/* Writes 2 * n lower-case digits and a NUL. */
void trace_hex(const uint8_t *bytes, size_t n, char *ret);
/* A header that may be passed on: printable ASCII of at most LIMIT_BAGGAGE_BYTES. Returns NULL otherwise. */
const char *trace_header_check(const char *text);
