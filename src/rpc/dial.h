/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dial: waits for a socket on the caller's thread.
 *
 *	if (!dial_wait(fd, POLLIN, deadline_us, c, error)) ...
 *
 * Thread: any but the loop's; blocks.
 */
#pragma once
#include "base/cancel.h"

/* deadline_us as g_get_monotonic_time, 0: none. Errors: DEADLINE_EXCEEDED, the token's error. */
bool dial_wait(int fd, short events, gint64 deadline_us, cancel *c, GError **error);
