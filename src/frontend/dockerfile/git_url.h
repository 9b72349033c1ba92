/* SPDX-License-Identifier: Apache-2.0 */
/*
 * git_url: parses git repository references of contexts and of ADD, and converts them to source ops.
 *
 *	struct git_url u;
 *	bool is_git;
 *	if (!git_url_parse(a, "https://x/y.git#v1:dir", &u, &is_git, error)) ...   error: invalid git reference
 *
 * Results live in the arena. Thread: any.
 */
#pragma once
#include "base/error.h"
#include "base/arena.h"

struct git_url {
	const char *remote;                          /* without query and fragment */
	const char *ref, *subdir, *checksum, *mtime; /* "": not given */
	int keep_git_dir, submodules;                /* -1: not given */
	bool fetch_by_commit;
	bool local_looking; /* no scheme: github.com/a/b may also be a path */
};
/* Returns false with an error if the text looks like a git reference but is malformed. */
bool git_url_parse(arena *a, const char *text, struct git_url *ret, bool *ret_is_git, GError **error);
/* Returns the identifier of the source op and its attributes (key, value, ..., NULL). */
const char *git_url_source(arena *a, const struct git_url *u, bool keep_git_dir, const char *checksum,
			   const char *mtime, const char *const **ret_attrs);
