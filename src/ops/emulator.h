/* SPDX-License-Identifier: Apache-2.0 */
/*
 * emulator: runs a step's program with an emulator of this machine where the kernel has none for the step's platform.
 *
 *	struct emulator e = {.fd = -1};
 *	if (!emulator_find(&e, platform, error)) ...
 *	emulator_fill(&e, &step);                   after arguments and mounts were set, before step_devices_fill; step borrows from e
 *	emulator_clear(&e);
 *
 * As upstream's: the program buildkit-qemu-ARCH in PATH is mounted in the step and gets its arguments. Thread: one at a time.
 */
#pragma once
#include "api/ops.pb-c.h"
#include "executor/executor.h"

#define EMULATOR_PLACE "/dev/.buildkit_qemu_emulator"

struct emulator {
	int fd;                    /* owned; a mount of the program; -1: none is needed, or there is none */
	struct step_mount *mounts; /* owned */
	const char **args;         /* owned, of borrowed strings */
};

/* platform NULL: this machine's. Errors: of the program, and variants of amd64 that this machine cannot run. */
bool emulator_find(struct emulator *e, const Pb__Platform *platform, GError **error);
void emulator_fill(struct emulator *e, struct step *step);
void emulator_clear(struct emulator *e);
