/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resources: one limit out of two, when builds that share a step ask for different ones: the least restrictive.
 *
 *	Pb__LinuxResources *merged = resources_relax(a, b);
 *	guard_free(merged);
 *
 * a may be NULL (then a copy of b). Thread: any.
 */
#pragma once
#include "ops.pb-c.h"

Pb__LinuxResources *resources_relax(const Pb__LinuxResources *a, const Pb__LinuxResources *b);
