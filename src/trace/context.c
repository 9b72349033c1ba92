/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/context.h"
#include "base/limits.h"
#include <string.h>

/* Lower-case digits only; false for others. */
static bool read_hex(const char *text, size_t n, uint8_t *ret)
{
	for (size_t i = 0; i < 2 * n; i++) {
		bool digit = text[i] >= '0' && text[i] <= '9', letter = text[i] >= 'a' && text[i] <= 'f';
		if (!digit && !letter)
			return false;
		uint8_t value = (uint8_t)(digit ? text[i] - '0' : text[i] - 'a' + 10);
		ret[i / 2] = (uint8_t)(i % 2 ? ret[i / 2] | value : value << 4);
	}
	return true;
}

static bool is_zero(const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (bytes[i] != 0)
			return false;
	return true;
}

/* version "-" trace-id "-" parent-id "-" flags; a later version may append members. */
bool trace_parent_parse(const char *text, struct trace_parent *ret)
{
	uint8_t version;
	if (!text || strnlen(text, TRACE_PARENT_CHARS) < TRACE_PARENT_CHARS || !read_hex(text, 1, &version))
		return false;
	char next = text[TRACE_PARENT_CHARS];
	if (version == 0xff || (version == 0 && next) || (next && next != '-'))
		return false;
	if (text[2] != '-' || text[35] != '-' || text[52] != '-')
		return false;
	struct trace_parent p;
	if (!read_hex(text + 3, sizeof p.trace, p.trace) || !read_hex(text + 36, sizeof p.span, p.span) ||
	    !read_hex(text + 53, 1, &p.flags))
		return false;
	if (is_zero(p.trace, sizeof p.trace) || is_zero(p.span, sizeof p.span))
		return false;
	*ret = p;
	return true;
}

void trace_hex(const uint8_t *bytes, size_t n, char *ret)
{
	for (size_t i = 0; i < n; i++) {
		ret[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
		ret[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
	}
	ret[2 * n] = 0;
}

char *trace_parent_format(const struct trace_parent *p)
{
	char trace[2 * sizeof p->trace + 1], span[2 * sizeof p->span + 1];
	trace_hex(p->trace, sizeof p->trace, trace);
	trace_hex(p->span, sizeof p->span, span);
	return g_strdup_printf("00-%s-%s-%02x", trace, span, p->flags);
}

const char *trace_header_check(const char *text)
{
	size_t n = 0;
	for (; text && text[n]; n++)
		if (text[n] < 0x20 || text[n] > 0x7e || n >= (size_t)LIMIT_BAGGAGE_BYTES)
			return NULL;
	return n > 0 ? text : NULL;
}
