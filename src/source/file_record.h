/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file_record: a cache record with one file, for http and blob sources.
 *
 *	g_auto(file_record) f = {.fd = -1};
 *	if (!file_record_begin(&f, cache, "http url ...", name, &spec, work, error)) return false;
 *	file_record_write(&f, bytes, n, error); ...
 *	cache_ref *ref = file_record_commit(&f, mtime_s, work, &digest, error);
 *
 * The record is retained. Thread: one at a time.
 */
#pragma once
#include "source/source.h"

/* http.filename, http.perm, http.uid, http.gid. */
struct file_spec {
	char *name;   /* owned; requested name, "" if none */
	int64_t perm; /* 0: not given */
	int64_t uid, gid;
};
bool file_spec_read(struct file_spec *ret, const Pb__SourceOp *op, GError **error);
void file_spec_clear(struct file_spec *s);
/*
 * Returns the last component of a path as a plain name, "download" if there is none or if it has control characters.
 * Owned.
 */
char *file_name_safe(const char *text);

typedef struct file_record {
	cache *cache;
	cache_ref *ref; /* mutable, owned */
	int fd;         /* owned, -1 if closed */
	hasher *hash;
	uint64_t size;
	uint64_t size_max;
} file_record;
bool file_record_begin(file_record *f, cache *c, const char *description, const char *name,
		       const struct file_spec *spec, struct work *work, GError **error);
bool file_record_write(file_record *f, const void *bytes, size_t n, GError **error);
/* Adds the whole file of a descriptor, with a reflink if the file system supports it. */
bool file_record_copy(file_record *f, int from, int64_t size, cancel *c, GError **error);
cache_ref *file_record_commit(file_record *f, int64_t mtime_s, struct work *work, struct digest *ret_digest,
			      GError **error);
void file_record_clear(file_record *f);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(file_record, file_record_clear)
