/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stubs: missing mount points of a root, created before a step and removed after it.
 *
 *	g_autoptr(stubs) s = stubs_new(root_fd, recursive);
 *	stubs_plan(s, "/run/secrets/x", STUB_FILE, error);      checks which components are missing
 *	... the working directory is made ...
 *	stubs_make(s, error);
 *	... the step runs ...
 *	stubs_remove(s, error);
 *
 * Each stub is tracked by open descriptors of itself and its parent, so that nothing is removed if a step moved,
 * replaced or filled it (CVE-2024-23652). The parent's times are restored unless something else changed it. A mount
 * point that was missing when it was planned is removed even if creating the working directory created it.
 * Each call fails on a shortage (error_errno_is_shortage): an unknown mount point would stay in the root, or an entry of
 * the root would be removed.
 * Thread: one at a time.
 */
#pragma once
#include "base/error.h"

typedef struct stubs stubs;

enum stub_kind {
	STUB_FILE,
	STUB_DIRECTORY,
	STUB_TMPFS, /* mode 1777: runtimes give a tmpfs the mode of the directory below it */
};

/* root_fd is borrowed. recursive: parents created on the way are removed as well, otherwise they stay. */
stubs *stubs_new(int root_fd, bool recursive);
/* Plans a mount point, resolved inside the root. Nothing is created yet. */
bool stubs_plan(stubs *s, const char *path, enum stub_kind kind, GError **error);
/* Creates all missing planned entries, in the order of planning. What a path does not allow is left to the runtime. */
bool stubs_make(stubs *s, GError **error);
/* Removes all that can be removed, once. The error is that of the first failure. */
bool stubs_remove(stubs *s, GError **error);
void stubs_free(stubs *s); /* removes what is not removed yet; NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(stubs, stubs_free)
