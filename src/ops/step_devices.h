/* SPDX-License-Identifier: Apache-2.0 */
/*
 * step_devices: what a step needs for the CDI devices that it uses: device nodes, mounts, variables, groups and hooks.
 *
 *	struct step_devices d = {0};
 *	if (!step_devices_open(&d, worker->cdi, pb->cdidevices, pb->n_cdidevices, &fields, error)) ...
 *	step_devices_fill(&d, &step);               after the other mounts were set; step borrows from d
 *	step_devices_clear(&d);
 *
 * Thread: one at a time.
 */
#pragma once
#include "cdi/cdi.h"
#include "ops/step_fields.h"

struct step_devices {
	cdi_list *list;          /* owned */
	struct cdi_edits *edits; /* owned; NULL: no devices */
	GArray *nodes;           /* of struct step_device */
	GArray *hooks;           /* of struct step_hook */
	GArray *mounts;          /* of struct step_mount; first those of devices, then (fill) all of the step */
	GArray *fds;             /* of int, owned */
};

/*
 * Adds the devices' variables to fields, in place of variables of the same names. source NULL: there are no devices. Errors:
 * NOT_FOUND for devices and for files of the host that do not exist, UNIMPLEMENTED for edits that are not supported.
 */
bool step_devices_open(struct step_devices *d, cdi *source, Pb__CDIDevice *const *requests, size_t n,
		       struct step_fields *fields, GError **error);
void step_devices_fill(struct step_devices *d, struct step *step);
void step_devices_clear(struct step_devices *d);
