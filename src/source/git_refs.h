/* SPDX-License-Identifier: Apache-2.0 */
/*
 * git_refs: names of refs and commits, and the output of git ls-remote.
 *
 *	struct git_listing l = {.ref = "v1"};
 *	if (!git_listing_parse(&l, output, n)) ...  l.sha, l.full_ref, l.peeled
 *
 * The output is untrusted. Pure. Thread: any.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <glib.h>

#define GIT_SHA_SIZE 65 /* SHA-256 in hex, and a NUL */

/* Reports whether the text is 40 or 64 lower-case hex digits. */
bool git_is_commit(const char *text);
/* Reports whether the text is a checksum or a prefix of one. */
bool git_is_hex(const char *text);
/* Reports whether git check-ref-format accepts the name and it is not an option. */
bool git_ref_is_safe(const char *ref);

/* Returns the ref that a name refers to: refs/NAME, else a branch, else a tag. */
typedef struct git_listing {
	char *ref;                 /* owned: the requested ref; NULL: the default branch, set by parsing */
	char *full_ref;            /* owned */
	char sha[GIT_SHA_SIZE];    /* object of the ref: a commit, or an annotated tag */
	char peeled[GIT_SHA_SIZE]; /* the commit of an annotated tag, "" for other refs */
} git_listing;
/* Returns false if there is no such ref. */
bool git_listing_parse(git_listing *l, const char *output, size_t n);
void git_listing_clear(git_listing *l);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(git_listing, git_listing_clear)

/* The options that affect a checkout, besides the commit. Strings are borrowed; "" if not given. */
struct git_shape {
	bool keep_git_dir, skip_submodules, mtime_commit, checkout_bundle;
	const char *subdir;
};
/* Returns the cache key, with upstream's text. Owned. */
char *git_key(const struct git_shape *shape, const char *sha, const char *full_ref);
