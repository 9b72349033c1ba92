/* SPDX-License-Identifier: Apache-2.0 */
/*
 * devices: RUN --device, as far as it is understood: what is wrong with one is an error of its line.
 *
 *	if (!devices_check(a, &i->devices, error)) ...        "vendor.com/class=name,required"
 *
 * Thread: any.
 */
#pragma once
#include "base/arena.h"

bool devices_check(arena *a, const struct vec *texts, GError **error);
