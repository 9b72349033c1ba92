/* SPDX-License-Identifier: Apache-2.0 */
/*
 * follow: paths that a peer wants whole, resolved through the links beneath a root into include patterns.
 *
 *	g_auto(GStrv) includes = follow_includes(root_fd, include, follow, error);
 *
 * Links are read one component at a time beneath root_fd, never followed by the kernel. Thread: any.
 */
#pragma once
#include "base/error.h"

/* include (may be NULL) and the resolved paths; empty when everything is wanted. */
char **follow_includes(int root_fd, const char *const *include, const char *const *follow, GError **error);
