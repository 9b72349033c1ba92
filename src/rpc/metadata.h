/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metadata: metadata pairs of a call, and their encoding.
 *
 *	metadata_add_wire(md, "x-bin", "AAE", 3);        decodes base64 of "-bin" names
 *	char *text = metadata_wire_value(pair);
 *
 * Thread: a set belongs to one thread at a time.
 */
#pragma once
#include "rpc/rpc.h"

struct metadata_pair {
	char *name;  /* owned, lower-case */
	char *value; /* owned, NUL-terminated */
	size_t len;
};

struct rpc_metadata {
	GArray *pairs; /* of struct metadata_pair */
};

void metadata_add_bytes(rpc_metadata *md, const char *name, const void *value, size_t n);
void metadata_add_wire(rpc_metadata *md, const char *name, const char *value, size_t n);
const struct metadata_pair *metadata_find(const rpc_metadata *md, const char *name);
/*
 * Values of names without "-bin" must be printable ASCII; otherwise the caller gets an error before anything is sent.
 */
bool metadata_check(const rpc_metadata *md, GError **error);
/* Returns the value as sent: base64 for "-bin" names. Newly allocated. */
char *metadata_wire_value(const struct metadata_pair *pair);

/* Percent-encoding of grpc-message (PROTOCOL-HTTP2.md, "Status-Message"). Newly allocated. */
char *percent_encode(const char *text);
char *percent_decode(const char *text, size_t n);
/* Formats and parses grpc-timeout: "100m". 0 if malformed. */
gint64 timeout_parse_us(const char *text);
char *timeout_format(gint64 us);
