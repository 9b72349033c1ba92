/* SPDX-License-Identifier: Apache-2.0 */
/*
 * netproxy_chunks: decodes a body with Transfer-Encoding: chunked (RFC 9112, 7.1), as bytes arrive.
 *
 *	struct netproxy_chunks d = {0};
 *	const char *data;
 *	while ((taken = netproxy_chunks_take(&d, bytes, n, &data, &n_data, error)) > 0) ...
 *	if (d.state == NETPROXY_CHUNKS_END) ...                the rest of the bytes belongs to the next request
 *
 * Strict: lines end with CRLF, sizes are hexadecimal digits; extensions and trailers are dropped, within limits. Input comes
 * from a step. Pure. Thread: one at a time.
 */
#pragma once
#include "base/error.h"

enum netproxy_chunks_state {
	NETPROXY_CHUNKS_SIZE, /* a line with the size of the next chunk */
	NETPROXY_CHUNKS_DATA,
	NETPROXY_CHUNKS_CRLF,    /* after the data */
	NETPROXY_CHUNKS_TRAILER, /* lines after the last chunk */
	NETPROXY_CHUNKS_END,
};
struct netproxy_chunks {
	enum netproxy_chunks_state state;
	uint64_t left;    /* of the data of the chunk */
	unsigned n_line;  /* bytes of the line so far */
	unsigned n_extra; /* bytes of extensions and trailers so far */
	bool in_extension, after_cr, has_digit;
};

/*
 * Returns the number of bytes used, -1 for invalid input. Data is a part of bytes: n_data 0: none. It uses all bytes that it
 * can until there is data to return.
 */
ssize_t netproxy_chunks_take(struct netproxy_chunks *d, const char *bytes, size_t n, const char **ret_data,
			     size_t *ret_n_data, GError **error);
