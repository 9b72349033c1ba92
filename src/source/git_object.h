/* SPDX-License-Identifier: Apache-2.0 */
/*
 * git_object: splits a commit or annotated tag into what is signed and the signature.
 *
 *	g_auto(git_object) o = {0};
 *	if (!git_object_parse(bytes, n, &o, error) || !git_object_check(&o, sha, error)) ...
 *	o.signed_data, o.signature                                     signature is empty if the object is not signed
 *
 * The object is untrusted. Pure. Thread: any.
 */
#pragma once
#include "base/error.h"
#include <stddef.h>

typedef struct git_object {
	bool is_tag;
	const void *raw; /* borrowed */
	size_t n_raw;
	GString *signed_data, *signature; /* owned */
} git_object;
/* Errors: a header that every object has is missing. */
bool git_object_parse(const void *bytes, size_t n, git_object *ret, GError **error);
/* Checks that the object has this id, of 40 or 64 hex digits. */
bool git_object_check(const git_object *o, const char *sha, GError **error);
void git_object_clear(git_object *o);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(git_object, git_object_clear)
