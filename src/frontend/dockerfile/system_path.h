/* SPDX-License-Identifier: Apache-2.0 */
/*
 * system_path: paths of Dockerfiles by the rules of the operating system that a stage is for.
 *
 *	const char *src = system_path_rooted(a, "windows", "C:\\app", error);       "/app"
 *
 * For Windows, a path may have backslashes and the drive C:, which is removed; other drives and UNC paths are errors. The
 * results have slashes. For other systems, the functions do the same as those of text.h. Thread: any.
 */
#pragma once
#include "base/arena.h"
#include "base/error.h"

/* Replaces backslashes. */
const char *system_path_slash(arena *a, const char *os, const char *path);
bool system_path_is_absolute(arena *a, const char *os, const char *path);
/* An absolute, clean path. */
const char *system_path_rooted(arena *a, const char *os, const char *path, GError **error);
/* Joined to the absolute path dir unless it is absolute itself. A trailing "/" or "/." is kept; "" and "." are "./". */
const char *system_path_target(arena *a, const char *os, const char *dir, const char *path, GError **error);
/* The directory after WORKDIR path in dir; both may be relative. On Linux, an absolute path is returned as written. */
const char *system_path_join(arena *a, const char *os, const char *dir, const char *path, GError **error);
/* The path without a drive; it may be relative. */
const char *system_path_plain(arena *a, const char *os, const char *path, GError **error);
/* The directory as it is written to the config of an image. */
const char *system_path_native(arena *a, const char *os, const char *path);
