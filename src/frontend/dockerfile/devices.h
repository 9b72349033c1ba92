/* SPDX-License-Identifier: Apache-2.0 */
/*
 * devices: RUN --device, of the labs channel: "vendor.com/class=name,required".
 *
 *	if (!devices_check(a, &run->devices, error)) ...        at the parse
 *	spec.devices = devices_new(a, &run->devices);           of checked texts
 *
 * Thread: any.
 */
#pragma once
#include "base/arena.h"
#include "ops.pb-c.h"

bool devices_check(arena *a, const struct vec *texts, GError **error);
/* texts->n devices, in the arena. */
Pb__CDIDevice **devices_new(arena *a, const struct vec *texts);
