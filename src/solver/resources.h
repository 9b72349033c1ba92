/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resources: combines the limits of builds that share a step: the least restrictive one applies.
 *
 *	Pb__LinuxResources *merged = resources_relax(a, b);
 *	guard_free(merged);
 *
 * a may be NULL (then a copy of b). Thread: any.
 */
#pragma once
#include "ops.pb-c.h"

Pb__LinuxResources *resources_relax(const Pb__LinuxResources *a, const Pb__LinuxResources *b);
