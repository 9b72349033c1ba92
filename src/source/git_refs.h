/* SPDX-License-Identifier: Apache-2.0 */
/*
 * git_refs: names of refs and commits, and what git ls-remote says of them.
 *
 *	struct git_listing l = {.ref = "v1"};
 *	if (!git_listing_parse(&l, output, n)) ...  l.sha, l.full_ref, l.peeled
 *
 * Output is of a foreign server. Pure. Thread: any.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <glib.h>

#define GIT_SHA_SIZE 65 /* sha256 in hex, and NUL */

/* 40 or 64 lower-case hex digits. */
bool git_is_commit(const char *text);
/* A checksum, or the beginning of one. */
bool git_is_hex(const char *text);
/* What git check-ref-format lets through, and no option. */
bool git_ref_is_safe(const char *ref);

/* Which of the listed refs a name means: refs/NAME, else a branch, else a tag (llb-and-solver.md section 6.5). */
typedef struct git_listing {
	char *ref;                 /* owned: as asked for; NULL: the default branch, which parsing fills in */
	char *full_ref;            /* owned */
	char sha[GIT_SHA_SIZE];    /* of the ref: a commit, or an annotated tag */
	char peeled[GIT_SHA_SIZE]; /* the commit behind an annotated tag, "" for others */
} git_listing;
/* False: not there. */
bool git_listing_parse(git_listing *l, const char *output, size_t n);
void git_listing_clear(git_listing *l);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(git_listing, git_listing_clear)

/* What makes a checkout what it is, besides the commit. Strings are borrowed; "" when not given. */
struct git_shape {
	bool keep_git_dir, skip_submodules, mtime_commit;
	const char *subdir;
};
/* The cache key (llb-and-solver.md section 10). Owned. */
char *git_key(const struct git_shape *shape, const char *sha, const char *full_ref);
