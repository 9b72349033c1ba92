/* SPDX-License-Identifier: Apache-2.0 */
/*
 * contenthash: the content digests of a tree; each entry is read once.
 *
 *	contenthash *t = contenthash_new();
 *	struct contenthash_source source = {.open_root = open, .data = ref};
 *	contenthash_sum(t, &source, &selector, cancel, &digest, error)
 *
 * Directories are listed when an entry below them is requested; files are hashed when their digest is requested, in
 * parallel. Names a transfer announces need no listing. After a writer changed the tree without announcing it, call
 * contenthash_distrust: the next sum then compares all inodes with the recorded state. Thread: any; sums of one tree
 * wait for each other.
 */
#pragma once
#include "base/cancel.h"
#include "base/digest.h"

typedef struct contenthash contenthash;

struct fssync_stat;
struct contenthash_selector {
	const char *path; /* "/" for the whole tree */
	bool wildcard;
	bool follow_links;
	const char *const *include; /* NULL, or NULL-terminated */
	const char *const *exclude;
	const char *const *required;
};
struct contenthash_entry {
	char *path;      /* owned; "/dir/file", directories "/dir/" */
	uint64_t digest; /* its first 8 bytes; for a directory those of its header digest */
};
void contenthash_entry_free(void *entry);

struct contenthash_source {
	/* Opens the tree's root for reading. Called at most once per sum and only if the disk must be read. */
	int (*open_root)(void *data, GError **error);
	void *data;
};

contenthash *contenthash_new(void);
contenthash *contenthash_ref(contenthash *t);
void contenthash_unref(contenthash *t);

/*
 * Returns the digest of the entries that one selector matches. Errors: NOT_FOUND "P": not found, INVALID_ARGUMENT for
 * patterns, UNKNOWN "too many links".
 */
bool contenthash_sum(contenthash *t, const struct contenthash_source *source,
		     const struct contenthash_selector *selector, cancel *c, struct digest *ret, GError **error);
/*
 * Appends the entries that the selector matches (struct contenthash_entry *), at most max in total; *ret_all false:
 * there are more.
 */
bool contenthash_list(contenthash *t, const struct contenthash_source *source,
		      const struct contenthash_selector *selector, cancel *c, guint max, GPtrArray *ret, bool *ret_all,
		      GError **error);
/* Implements cache_ref_note_entry. */
void contenthash_note(contenthash *t, const struct fssync_stat *stat, const struct digest *record_digest, bool removed);
void contenthash_distrust(contenthash *t);

/*
 * Reports whether there are changes that contenthash_save has not written yet. Takes no lock, because a sum may hold
 * the lock for long and calls the cache meanwhile.
 */
bool contenthash_is_dirty(contenthash *t);
GBytes *contenthash_save(contenthash *t);
/* Returns NULL when bytes were not written by contenthash_save. */
contenthash *contenthash_load(const void *bytes, size_t n);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(contenthash, contenthash_unref)
