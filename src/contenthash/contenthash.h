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
#include "fssync/fssync.h"

typedef struct contenthash contenthash;
typedef struct contenthash_index contenthash_index;

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
	/*
	 * Returns digests of files that other trees have in common with this one, or NULL (borrowed until the sum ends).
	 * Called only if a file must be read. May be NULL.
	 */
	const contenthash_index *(*open_index)(void *data);
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
void contenthash_note(contenthash *t, const struct fssync_stat *stat, const struct fssync_content *content,
		      enum fssync_change change);
/*
 * Begins the record digest of a regular file that a transfer announced and writes: the caller adds the content and
 * finishes it. NULL: the digest can only be computed from the inode.
 */
hasher *contenthash_begin(const struct fssync_stat *stat);
void contenthash_distrust(contenthash *t);

/* A file got another hard link, which changes the time of its inode but not its content; st: its state afterwards. */
void contenthash_relinked(contenthash *t, const char *path, const struct stat *st);

/*
 * Digests of files by the state of their inodes, for trees that have files in common.
 *
 *	contenthash_index *x = contenthash_index_new();
 *	contenthash_index_add(x, t);                      the files of t whose digests are known
 *	if (contenthash_index_find(x, &st, digest)) ...
 */
contenthash_index *contenthash_index_new(void);
void contenthash_index_free(contenthash_index *x);
void contenthash_index_add(contenthash_index *x, contenthash *t);
bool contenthash_index_find(const contenthash_index *x, const struct stat *st, uint8_t ret[32]);

/*
 * Reports whether there are changes that contenthash_save has not written yet. Takes no lock, because a sum may hold
 * the lock for long and calls the cache meanwhile.
 */
bool contenthash_is_dirty(contenthash *t);
GBytes *contenthash_save(contenthash *t);
/* Returns NULL when bytes were not written by contenthash_save. */
contenthash *contenthash_load(const void *bytes, size_t n);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(contenthash, contenthash_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(contenthash_index, contenthash_index_free)
