/* SPDX-License-Identifier: Apache-2.0 */
/*
 * path_text: Go's path.Clean and path.Join on strings (no file system).
 *
 *	g_autofree char *clean = path_clean("a//b/../c");        "a/c"
 *
 * The caller owns the result. Thread: any.
 */
#pragma once

/* "" is ".". */
char *path_clean(const char *path);
/* Empty parts are left out; "" when both are empty. */
char *path_join(const char *a, const char *b);
