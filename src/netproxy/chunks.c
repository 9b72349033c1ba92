/* SPDX-License-Identifier: Apache-2.0 */
#include "netproxy/chunks.h"
#include "base/limits.h"

#define SIZE_DIGITS_MAX 15

static bool invalid(GError **error)
{
	return error_set(error, ERROR_INVALID_ARGUMENT, "invalid chunked body");
}

static void begin(struct netproxy_chunks *d, enum netproxy_chunks_state state)
{
	d->state = state;
	d->n_line = 0;
	d->in_extension = d->after_cr = false;
}

/* The end of a line. */
static void end_line(struct netproxy_chunks *d)
{
	switch (d->state) {
	case NETPROXY_CHUNKS_SIZE:
		begin(d, d->left > 0 ? NETPROXY_CHUNKS_DATA : NETPROXY_CHUNKS_TRAILER);
		break;
	case NETPROXY_CHUNKS_CRLF:
		d->left = 0;
		d->has_digit = false;
		begin(d, NETPROXY_CHUNKS_SIZE);
		break;
	case NETPROXY_CHUNKS_TRAILER:
		begin(d, d->n_line == 0 ? NETPROXY_CHUNKS_END : NETPROXY_CHUNKS_TRAILER);
		break;
	case NETPROXY_CHUNKS_DATA:
	case NETPROXY_CHUNKS_END:
		break;
	}
}

static bool is_line_byte(char c)
{
	return (unsigned char)c >= ' ' ? c != 0x7f : c == '\t';
}

static bool take_extra(struct netproxy_chunks *d, char c)
{
	d->n_line++;
	return is_line_byte(c) && ++d->n_extra <= LIMIT_PROXY_EXTRA_BYTES;
}

static bool take_size_byte(struct netproxy_chunks *d, char c)
{
	if (d->in_extension)
		return take_extra(d, c);
	if (d->has_digit && (c == ';' || c == ' ' || c == '\t')) {
		d->in_extension = true;
		return take_extra(d, c);
	}
	if (!g_ascii_isxdigit(c) || d->n_line >= SIZE_DIGITS_MAX)
		return false;
	d->has_digit = true;
	d->n_line++;
	d->left = d->left << 4 | (uint64_t)g_ascii_xdigit_value(c);
	return true;
}

/* A byte of a line. */
static bool take_byte(struct netproxy_chunks *d, char c)
{
	if (d->after_cr) {
		if (c == '\n')
			end_line(d);
		return c == '\n';
	}
	if (c == '\r') {
		d->after_cr = true;
		return d->state != NETPROXY_CHUNKS_SIZE || d->has_digit;
	}
	if (d->state == NETPROXY_CHUNKS_SIZE)
		return take_size_byte(d, c);
	return d->state == NETPROXY_CHUNKS_TRAILER && take_extra(d, c);
}

ssize_t netproxy_chunks_take(struct netproxy_chunks *d, const char *bytes, size_t n, const char **ret_data,
			     size_t *ret_n_data, GError **error)
{
	size_t at = 0;
	*ret_n_data = 0;
	while (at < n && d->state != NETPROXY_CHUNKS_END) {
		if (d->state != NETPROXY_CHUNKS_DATA) {
			if (!take_byte(d, bytes[at++])) {
				invalid(error);
				return -1;
			}
			continue;
		}
		*ret_data = bytes + at;
		*ret_n_data = MIN(n - at, d->left);
		d->left -= *ret_n_data;
		if (d->left == 0)
			begin(d, NETPROXY_CHUNKS_CRLF);
		return (ssize_t)(at + *ret_n_data);
	}
	return (ssize_t)at;
}
