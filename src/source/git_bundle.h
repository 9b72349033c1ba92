/* SPDX-License-Identifier: Apache-2.0 */
/*
 * git_bundle: a git bundle as the origin of a repository (git.bundle), and as the result of a checkout
 * (git.checkoutbundle).
 *
 *	b = git_bundle_parse(text, session_id, store, error);    "oci-layout+blob://store@sha256:..."
 *	g_autofree char *ref = git_bundle_ref(name);             name of the ref in a bundle that is made
 *
 * The locator and the bundle are untrusted. Thread: as the git source.
 */
#pragma once
#include "format/reference.h"
#include "base/digest.h"

#define GIT_BUNDLE_REF "refs/heads/main" /* if a commit was asked for */

typedef struct git_bundle {
	char *text;       /* owned: the locator */
	bool is_layout;   /* a blob of an OCI layout of the client, not of a registry */
	reference *ref;   /* owned, with digest */
	char *session_id; /* owned or NULL; layouts: the session, NULL or "": any */
	char *store;      /* owned; layouts: name of the store */
	struct digest digest;
} git_bundle;
/* session_id and store (the attributes oci.session and oci.store) may be NULL. */
git_bundle *git_bundle_parse(const char *text, const char *session_id, const char *store, GError **error);
void git_bundle_free(git_bundle *b);
/* Returns the full name of a ref in a bundle: a tag, or a branch, GIT_BUNDLE_REF for a commit. Owned. */
char *git_bundle_ref(const char *ref);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(git_bundle, git_bundle_free)
