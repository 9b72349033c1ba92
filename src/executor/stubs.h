/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stubs: missing mount points of a root, created before a step and removed after it.
 *
 *	stubs s = stubs_new(root_fd, recursive);
 *	stubs_plan(s, "/run/secrets/x", STUB_FILE);      checks which components are missing
 *	... the working directory is made ...
 *	stubs_make(s);
 *	... the step runs ...
 *	stubs_remove(s);
 *
 * Each stub is tracked by open descriptors of itself and its parent, so that nothing is removed if a step moved,
 * replaced or filled it (CVE-2024-23652). The parent's times are restored unless something else changed it. A mount
 * point that was missing when it was planned is removed even if creating the working directory created it.
 * Thread: one at a time.
 */
#pragma once
#include <stdbool.h>
#include <glib.h>

typedef struct stubs stubs;

enum stub_kind {
	STUB_FILE,
	STUB_DIRECTORY,
	STUB_TMPFS, /* mode 1777: runtimes give a tmpfs the mode of the directory below it */
};

/* root_fd is borrowed. recursive: parents created on the way are removed as well, otherwise they stay. */
stubs *stubs_new(int root_fd, bool recursive);
/* Plans a mount point, resolved inside the root. Nothing is created yet. */
void stubs_plan(stubs *s, const char *path, enum stub_kind kind);
/* Creates all missing planned entries, in the order of planning. Failures are left to the runtime to report. */
void stubs_make(stubs *s);
void stubs_remove(stubs *s); /* frees */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(stubs, stubs_remove)
