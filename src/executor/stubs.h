/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stubs: mount points that a root lacks, made before a step and removed after it.
 *
 *	stubs s = stubs_new(root_fd, recursive);
 *	stubs_plan(s, "/run/secrets/x", STUB_FILE);      looks what is missing
 *	... the working directory is made ...
 *	stubs_make(s);
 *	... the step runs ...
 *	stubs_remove(s);
 *
 * Each is remembered by open descriptors of itself and its parent, so that a step that moved, replaced or filled it
 * keeps what it made (CVE-2024-23652), and the parent's times are restored when nothing else changed it. A mount point
 * that was missing when it was planned is removed even if making the working directory made it.
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

/* root_fd is borrowed. recursive: parents made on the way are removed as well, otherwise they stay. */
stubs *stubs_new(int root_fd, bool recursive);
/* A mount point, resolved inside the root. Nothing is made yet. */
void stubs_plan(stubs *s, const char *path, enum stub_kind kind);
/* Makes all that is planned and missing, in the order of planning. What cannot be made is left to the runtime. */
void stubs_make(stubs *s);
void stubs_remove(stubs *s); /* frees */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(stubs, stubs_remove)
