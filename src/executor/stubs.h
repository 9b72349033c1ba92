/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stubs: mount points that a root lacks, made before a step and taken away after it.
 *
 *	stubs s = stubs_new(root_fd, recursive);
 *	stubs_make(s, "/run/secrets/x", false);
 *	... the step runs ...
 *	stubs_remove(s);
 *
 * Each is remembered by open descriptors of itself and its parent, so that a step that moved, replaced or filled it
 * keeps what it made (CVE-2024-23652), and the parent's times come back when nobody else changed it.
 * Thread: one at a time.
 */
#pragma once
#include <stdbool.h>
#include <glib.h>

typedef struct stubs stubs;

/* root_fd is borrowed. recursive: parents made on the way are removed as well, otherwise they stay. */
stubs *stubs_new(int root_fd, bool recursive);
/* A missing mount point, resolved inside the root; what cannot be made is left to the runtime. */
void stubs_make(stubs *s, const char *path, bool directory);
void stubs_remove(stubs *s); /* frees */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(stubs, stubs_remove)
