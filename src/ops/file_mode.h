/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file_mode: applies a mode in the syntax of chmod(1), "u=rwX,go=rX" or octal, to a source mode.
 *
 *	if (!file_mode_apply("g+w", st.st_mode, &mode, error)) ...
 *
 * The umask is taken as 0. Pure. Thread: any.
 */
#pragma once
#include "base/error.h"
#include <sys/types.h>

/* old: st_mode with its type; ret: permission and set-id bits only. Errors: INVALID_ARGUMENT "invalid syntax". */
bool file_mode_apply(const char *text, mode_t old, mode_t *ret, GError **error);
