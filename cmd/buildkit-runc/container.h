/* SPDX-License-Identifier: Apache-2.0 */
/*
 * container: the state of a container between OCI commands: a directory <root>/<id> with state.json, and the FIFO on
 * which a created container waits for start.
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
	unsigned long long started; /* start time of that process in clock ticks since boot, because pids are reused */
	const char *bundle, *rootfs, *cgroup, *created;
	json_t *annotations; /* may be NULL */
};
/* Valid ids are file names of letters, digits and "_+-.". */
void container_check_id(const char *id);
void container_make(struct container *c, const char *root, const char *id);
void container_save(const struct container *c);
void container_load(struct container *c, const char *root, const char *id);
/* Returns false if there is no container of this name. */
bool container_try_load(struct container *c, const char *root, const char *id);
void container_remove(struct container *c);
const char *container_status(const struct container *c); /* "created", "running", "stopped" */
bool container_is_alive(const struct container *c);
unsigned long long container_start_time(pid_t pid); /* 0: the process has ended */

/* Opens the FIFO for reading and writing: a read blocks until another process calls container_start. */
int container_make_start_fifo(struct container *c);
bool container_start(struct container *c);
