/* SPDX-License-Identifier: Apache-2.0 */
/*
 * follow: resolves the links of requested paths beneath a root, and converts them to include patterns.
 *
 *	g_auto(GStrv) includes = follow_includes(root_fd, include, follow, error);
 *
 * Links are read one component at a time beneath root_fd, never followed by the kernel. Thread: any.
 */
#pragma once
#include "base/error.h"

/* Returns include (may be NULL) and the resolved paths; empty if everything is included. */
char **follow_includes(int root_fd, const char *const *include, const char *const *follow, GError **error);
