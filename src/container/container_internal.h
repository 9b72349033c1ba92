/* SPDX-License-Identifier: Apache-2.0 */
/* container_internal: declarations shared by container.c and process.c. Thread: members after .mu are guarded by it. */
#pragma once
#include "container/container.h"
#include "ops/exec_mounts.h"
#include "ops/step_fields.h"

/* What is known of the first process. */
enum first_state { FIRST_NONE, FIRST_STARTING, FIRST_RUNNING, FIRST_ENDED };

struct container {
	gint refs;
	worker *worker; /* borrowed */
	char *id;
	struct work work;    /* work.cancel: owned, child of the build's */
	struct step step;    /* root, mounts, host name, network: borrows from the following members */
	exec_mounts *mounts; /* owned; closed by container_release */
	cache_ref **inputs;  /* owned */
	size_t n_inputs;
	char *hostname;           /* owned */
	struct step_fields hosts; /* owned; its hosts are used */
	Pb__Meta *hosts_meta;     /* owned; what hosts borrows from */
	struct step_proxy proxy;  /* its policy: counted; NULL: no proxy */
	bool windows, allow_network_host, allow_security_insecure;
	GMutex mu;
	GCond changed;
	bool released;
	guint users;          /* calls that use the mounts */
	GPtrArray *processes; /* element type: container_process * (counted) */
	guint joining;        /* processes that are not in the list and whose threads may run */
	enum first_state first;
	GError *failure;             /* owned; of the process that failed first */
	step_process *first_process; /* owned; set while FIRST_RUNNING */
};

struct container_process {
	gint refs;
	container *container; /* borrowed: valid until the process has ended */
	bool first;
	Pb__SecurityMode security;
	struct step_fields fields;
	Pb__Meta *meta; /* owned */
	struct container_io io;
	cancel *cancel;  /* owned; child of the container's */
	GThread *thread; /* owned; NULL: joined. container.mu */
	GMutex mu;
	GCond changed;
	bool ended;
	step_process *process; /* owned; NULL: not started */
};

/* Joins the threads of processes that have ended, of all processes if wait. Requires mu, which it releases meanwhile. */
void container_join_processes(container *c, bool wait);
