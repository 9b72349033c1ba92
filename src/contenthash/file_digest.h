/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file_digest: the record digest of one file, link, device or directory header.
 *
 *	g_autoptr(hasher) h = hasher_new_sha256();
 *	file_digest_of(h, fd, &stat, raw, error);       fd: O_RDONLY of files and directories, else O_PATH
 *
 * Times and names are not part of it. Raw digests are the 32 bytes of a sha256. Thread: any; a hasher is used by one
 * thread at a time.
 */
#pragma once
#include "base/digest.h"
#include "fssync/fssync.h"
#include <sys/stat.h>

#define RAW_DIGEST_SIZE 32

/* Reads metadata, extended attributes and content; *ret_stat is the state that was read. */
bool file_digest_of(hasher *h, int fd, struct stat *ret_stat, uint8_t ret[RAW_DIGEST_SIZE], GError **error);
/* The same for an entry without content (directory, link, device, empty file) that a transfer announced. */
void file_digest_of_announced(hasher *h, const struct fssync_stat *stat, uint8_t ret[RAW_DIGEST_SIZE]);

/* Begins the digest of a regular file without extended attributes; its content follows. */
void file_digest_begin(hasher *h, const struct fssync_stat *stat);

void raw_digest_finish(hasher *h, uint8_t ret[RAW_DIGEST_SIZE]);
/* Hashes "sha256:<hex>" of raw. */
void raw_digest_feed(hasher *h, const uint8_t raw[RAW_DIGEST_SIZE]);
void raw_digest_text(const uint8_t raw[RAW_DIGEST_SIZE], struct digest *ret);
bool raw_digest_from(const struct digest *digest, uint8_t ret[RAW_DIGEST_SIZE]);
