/* SPDX-License-Identifier: Apache-2.0 */
/*
 * content_dir: content store of a daemon in the directory blobs/<algorithm>/<hex> of an OCI layout.
 *
 *	struct content_dir *d = content_dir_open("cache", true, error);
 *	fd = content_dir_find(d, digest, &size, error);
 *	content_dir_begin(d, ref, &writer, error); ..._write, ..._commit
 *
 * A blob is written to ingest/<hash of its ref> and renamed after its digest is verified. Only names made from
 * validated digests are opened, beneath the directory. Thread: any; a writer belongs to one thread at a time.
 */
#pragma once
#include "base/digest.h"
#include <sys/stat.h>

struct content_dir;
struct content_dir *content_dir_open(const char *path, bool create, GError **error);
void content_dir_free(void *dir);
/* Opens a blob. Returns -1 with NOT_FOUND "content D: not found" or INVALID_ARGUMENT. */
int content_dir_find(struct content_dir *d, const char *digest, struct stat *ret, GError **error);

struct content_writer {
	struct content_dir *dir; /* borrowed */
	int fd;                  /* owned, locked */
	char name[DIGEST_TEXT_SIZE];
	hasher *hash;
	int64_t offset;
};
/* Continues the write of an earlier writer with this ref. UNAVAILABLE while another writer has it. */
bool content_dir_begin(struct content_dir *d, const char *ref, struct content_writer *ret, GError **error);
bool content_writer_truncate(struct content_writer *w, GError **error);
bool content_writer_write(struct content_writer *w, const void *bytes, size_t n, GError **error);
/* total 0 and expected "": not known. ret: the blob's digest. */
bool content_writer_commit(struct content_writer *w, int64_t total, const char *expected, struct digest *ret,
			   GError **error);
void content_writer_clear(struct content_writer *w); /* keeps the bytes for the next writer */
/* Returns the number of bytes of an unfinished write; NOT_FOUND if there is none. */
bool content_dir_status(struct content_dir *d, const char *ref, struct stat *ret, GError **error);
bool content_dir_abort(struct content_dir *d, const char *ref, GError **error);
