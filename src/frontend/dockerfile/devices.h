/* SPDX-License-Identifier: Apache-2.0 */
/*
 * devices: checks the syntax of RUN --device; the option itself is not supported.
 *
 *	if (!devices_check(a, &i->devices, error)) ...        "vendor.com/class=name,required"
 *
 * Thread: any.
 */
#pragma once
#include "base/arena.h"

bool devices_check(arena *a, const struct vec *texts, GError **error);
