/* SPDX-License-Identifier: Apache-2.0 */
/*
 * meta: what is known about a git or http source without a tree of it.
 *
 *	struct git_meta m;
 *	if (!source_git_resolve(&context, op, false, work, &m, error)) ...
 *	git_meta_clear(&m);
 *
 * Thread: any.
 */
#pragma once
#include "base/digest.h"
#include <glib.h>

struct git_meta {
	char *ref, *checksum, *commit_checksum; /* owned; commit_checksum is "" unless checksum is an annotated tag's */
	GBytes *commit_object, *tag_object;     /* owned or NULL */
};
void git_meta_clear(struct git_meta *m);

struct http_meta {
	struct digest checksum;
	char *filename; /* owned */
	bool has_modified;
	int64_t modified_s;
};
void http_meta_clear(struct http_meta *m);

/* A digest of the file's bytes and a suffix together, for signatures that cover both. */
struct http_checksum {
	const char *algorithm; /* "sha256", "sha384", "sha512" */
	const void *suffix;    /* borrowed */
	size_t suffix_len;
	struct digest digest; /* set on success */
};
