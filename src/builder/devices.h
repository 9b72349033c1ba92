/* SPDX-License-Identifier: Apache-2.0 */
/*
 * devices: which CDI devices a build may use (entitlement "device").
 *
 *	device_grants *g = device_grants_new();
 *	device_grants_add(g, "vendor.com/gpu=0,alias=gpu", error)       for each entitlement "device=..."; "": all
 *	device_grants_apply(g, list, exec, error)                       at the load of each exec op
 *
 * Thread: one at a time; apply on any.
 */
#pragma once
#include "cdi/cdi.h"
#include "ops.pb-c.h"

typedef struct device_grants device_grants;
device_grants *device_grants_new(void);
void device_grants_free(device_grants *g);
bool device_grants_add(device_grants *g, const char *config, GError **error);
/*
 * Replaces the devices of the op by the names of those that it may use, without optional ones that do not exist; a step's
 * cache key depends on them. Errors: PERMISSION_DENIED "device X is requested by the build but not allowed", NOT_FOUND.
 * list NULL: CDI is disabled.
 */
bool device_grants_apply(const device_grants *g, const cdi_list *list, Pb__ExecOp *exec, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(device_grants, device_grants_free)
