/* SPDX-License-Identifier: Apache-2.0 */
/*
 * git_url: references to git repositories as contexts and as sources of ADD, and the source op they become.
 *
 *	struct git_url u;
 *	bool is_git;
 *	if (!git_url_parse(a, "https://x/y.git#v1:dir", &u, &is_git, error)) ...   error only when it is git and bad
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
	bool local_looking; /* github.com/a/b: a path just as well */
};
/* False with an error: looks like git and is malformed. */
bool git_url_parse(arena *a, const char *text, struct git_url *ret, bool *ret_is_git, GError **error);
/* Identifier of the source op and its attributes (key, value, ..., NULL). */
const char *git_url_source(arena *a, const struct git_url *u, bool keep_git_dir, const char *checksum,
			   const char *mtime, const char *const **ret_attrs);
