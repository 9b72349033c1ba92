/* SPDX-License-Identifier: Apache-2.0 */
/*
 * path_text: implements Go's path.Clean and path.Join on strings (without file system access).
 *
 *	g_autofree char *clean = path_clean("a//b/../c");        "a/c"
 *
 * The caller owns the result. Thread: any.
 */
#pragma once
#include <stdbool.h>

/* "" becomes ".". */
char *path_clean(const char *path);
/* Skips empty parts; "" if both are empty. */
char *path_join(const char *a, const char *b);
/* Reports whether a clean path is in a directory other than the root, directly or not. */
bool path_is_below(const char *path, const char *directory);
