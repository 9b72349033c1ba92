/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file_mode: modes as chmod(1) takes them, "u=rwX,go=rX" or octal, applied to each source mode.
 *
 *	if (!file_mode_apply("g+w", st.st_mode, &mode, error)) ...
 *
 * The umask counts as 0. Pure. Thread: any.
 */
#pragma once
#include "base/error.h"
#include <sys/types.h>

/* old: st_mode with its type; ret: permission and set-id bits only. Errors: INVALID_ARGUMENT "invalid syntax". */
bool file_mode_apply(const char *text, mode_t old, mode_t *ret, GError **error);
