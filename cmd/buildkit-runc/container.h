/* SPDX-License-Identifier: Apache-2.0 */
/*
 * container: what the OCI commands remember of a container: a directory <root>/<id> with state.json, and the FIFO by
 * which start lets it go.
 *
 *	struct container c;
 *	container_make(&c, root, id);     create
 *	container_load(&c, root, id);     all other commands
 */
#pragma once
#include "json.h"
#include <sys/types.h>

struct container {
	const char *root, *id; /* borrowed */
	int dir_fd;            /* owned */
	pid_t pid;
	unsigned long long started; /* of that process, in clock ticks since boot: pids are used again */
	const char *bundle, *rootfs, *cgroup, *created;
	json_t *annotations; /* may be NULL */
};
/* Names that are a plain file name of letters, digits and "_+-." */
void container_check_id(const char *id);
void container_make(struct container *c, const char *root, const char *id);
void container_save(const struct container *c);
void container_load(struct container *c, const char *root, const char *id);
/* False: there is none of this name. */
bool container_try_load(struct container *c, const char *root, const char *id);
void container_remove(struct container *c);
const char *container_status(const struct container *c); /* "created", "running", "stopped" */
bool container_is_alive(const struct container *c);
unsigned long long container_start_time(pid_t pid); /* 0: gone */

/* The FIFO, open for both: a read waits for container_let_go of whoever. */
int container_make_gate(struct container *c);
bool container_let_go(struct container *c);
