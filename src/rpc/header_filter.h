/* SPDX-License-Identifier: Apache-2.0 */
/*
 * header_filter: removes header fields that nghttp2 cannot decode (an encoded value of more than 64 KiB).
 *
 *	header_filter_pass(f, bytes, n, to_session, conn, error);
 *
 * For clients: servers put the details of an error into one field of the trailers (grpc-status-details-bin), which may
 * contain a whole source file. nghttp2 reports a compression error for such a field and closes the connection, so that
 * the error message is lost too. All other bytes are passed unchanged. RFC 7541 section 6, RFC 9113 section 6.2.
 * Thread: that of the connection.
 */
#pragma once
#include "base/error.h"
#include <stdint.h>

typedef struct header_filter header_filter;
typedef bool (*header_sink_fn)(void *data, const uint8_t *bytes, size_t n, GError **error);

header_filter *header_filter_new(void);
void header_filter_free(header_filter *f);
/* Errors: RESOURCE_EXHAUSTED for a header block of more than 16 MiB or 4,096 frames; errors of sink. */
bool header_filter_pass(header_filter *f, const uint8_t *bytes, size_t n, header_sink_fn sink, void *data,
			GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(header_filter, header_filter_free)
