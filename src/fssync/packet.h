/* SPDX-License-Identifier: Apache-2.0 */
/*
 * packet: encodes and decodes fsutil.types.Packet and Stat without protobuf-c, so that file data is never copied and
 * names need not be UTF-8 (file names are bytes; upstream's peers send them unchanged).
 *
 *	if (!packet_decode(bytes, n, &p, error)) ...           p points into bytes
 *	n = packet_head(buf, PACKET_DATA, id, n_data);          the data follows as the second part of the message
 *
 * Thread: any.
 */
#pragma once
#include "base/scope.h"
#include "fssync/fssync.h"

enum packet_type { PACKET_STAT = 0, PACKET_REQ = 1, PACKET_DATA = 2, PACKET_FIN = 3, PACKET_ERR = 4 };

struct packet {
	uint32_t type; /* enum packet_type, or any value that the peer sent */
	bool has_stat;
	struct slice stat;
	uint32_t id;
	struct slice data;
};

#define PACKET_HEAD_SIZE 32

/* Errors: INVALID_ARGUMENT. */
bool packet_decode(const void *bytes, size_t n, struct packet *ret, GError **error);
/* Encodes everything except the data bytes. Returns the length. */
size_t packet_head(uint8_t ret_head[PACKET_HEAD_SIZE], enum packet_type type, uint32_t id, size_t n_data);
/* Appends a complete STAT packet; NULL stat is the end of the tree. */
void packet_append_stat(GByteArray *out, const struct fssync_stat *stat);

/* Checks strings for NUL, LIMIT_PATH_BYTES and the xattr limits. The caller clears ret on success. */
bool stat_decode(struct slice bytes, struct fssync_stat *ret, GError **error);
