/* SPDX-License-Identifier: Apache-2.0 */
/*
 * header_filter: leaves header fields out that nghttp2 cannot decode (a value of more than 64 KiB as it is encoded).
 *
 *	header_filter_pass(f, bytes, n, to_session, conn, error);
 *
 * For clients: servers put the details of an error into one field of the trailers (grpc-status-details-bin), which may
 * hold a whole source file. nghttp2 takes such a field for a compression error and ends the connection, and the message
 * beside it is lost. All other bytes pass as they are. RFC 7541 section 6, RFC 9113 section 6.2.
 * Thread: the connection's.
 */
#pragma once
#include "base/error.h"
#include <stdint.h>

typedef struct header_filter header_filter;
typedef bool (*header_sink_fn)(void *data, const uint8_t *bytes, size_t n, GError **error);

header_filter *header_filter_new(void);
void header_filter_free(header_filter *f);
/* Errors: RESOURCE_EXHAUSTED for a header block of more than 16 MiB or 4,096 frames; those of sink. */
bool header_filter_pass(header_filter *f, const uint8_t *bytes, size_t n, header_sink_fn sink, void *data,
			GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(header_filter, header_filter_free)
