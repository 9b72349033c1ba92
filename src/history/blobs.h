/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blobs: the blobs of build records in the history's database, compressed; private to this module.
 *
 *	blobs_put(db, ref, digest, bytes, error);
 *	int64_t size = blobs_size(db, digest);                          -1: there is none
 *	GBytes *some = blobs_read(db, digest, offset, error);           at most BLOBS_PART bytes
 *
 * A blob is stored in parts of BLOBS_PART bytes, so that reading a range decompresses no more than that. Parts that
 * compression (zstd) does not make smaller are stored as they are. The caller has a transaction for blobs_put. Thread: any.
 */
#pragma once
#include "db/db.h"

#define BLOBS_PART (1024 * 1024)
/* size: of the whole blob, in each row. */
#define BLOBS_TABLE                                                                                                    \
	"CREATE TABLE blobs(ref TEXT NOT NULL REFERENCES records(ref) ON DELETE CASCADE, digest TEXT NOT NULL,"        \
	" part INTEGER NOT NULL, size INTEGER NOT NULL, zstd INTEGER NOT NULL, bytes BLOB NOT NULL,"                   \
	" PRIMARY KEY(ref, digest, part));"                                                                            \
	"CREATE INDEX blobs_digest ON blobs(digest);"

bool blobs_put(db *d, const char *ref, const char *digest, GBytes *bytes, GError **error);
int64_t blobs_size(db *d, const char *digest);
/* NULL with an error: DATA_LOSS, NOT_FOUND. */
GBytes *blobs_read(db *d, const char *digest, int64_t offset, GError **error);
/* The whole blob; NULL if there is none or it is damaged. */
GBytes *blobs_get(db *d, const char *digest);
