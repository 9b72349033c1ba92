/* SPDX-License-Identifier: Apache-2.0 */
/*
 * container: the mounts of a container of a build, and the processes that its client starts in it.
 *
 *	container *c = container_new(&options, stop, error);
 *	container_process *p = container_start(c, &command, &io, stop, error);   io.started and io.ended follow
 *	container_process_signal(p, SIGTERM, stop, error);
 *	g_autoptr(GBytes) text = container_read_file(c, 0, "/etc/passwd", 0, 0, error);
 *	container_release(c, error);                   kills its processes and waits for them
 *	container_unref(c);
 *
 * The first process is run as a step; further ones are started in that step, and are killed when it exits. The container
 * ends with the cancel token of options.work, too. Both types are counted; the caller owns what it gets.
 * Thread: any; container_new, container_start and container_release block.
 */
#pragma once
#include "executor/executor.h"
#include "fssync/fssync.h"
#include "ops.pb-c.h"
#include "worker/worker.h"

typedef struct container container;
typedef struct container_process container_process;

struct container_options {
	worker *worker;           /* borrowed: outlives the container */
	const char *id;           /* of the client, for messages */
	const struct work *work;  /* of the build; copied, its members outlive the container */
	Pb__Mount *const *mounts; /* Pb__Mount.input: an index of inputs or -1 */
	size_t n_mounts;
	cache_ref *const *inputs; /* referenced */
	size_t n_inputs;
	Pb__NetMode network;
	const char *hostname;
	Pb__HostIP *const *hosts;
	size_t n_hosts;
	bool windows; /* platform: another default PATH */
	bool allow_network_host, allow_security_insecure;
	netproxy_policy *proxy; /* its network is a proxy; referenced; NULL: none */
};
/* Opens the mounts; stop ends it. Errors: those of exec_mounts. */
container *container_new(const struct container_options *options, cancel *stop, GError **error);
container *container_ref(container *c);
void container_unref(container *c); /* the last one releases it */
/*
 * Kills all processes, waits until they have ended and closes the mounts. Idempotent; concurrent calls wait. False and
 * the error of the process that failed first, if one did, in its whole life: upstream reports that here.
 */
bool container_release(container *c, GError **error);

/* ---- processes */
struct container_command {    /* borrowed by container_start */
	const Pb__Meta *meta; /* args, env, user, cwd; ulimits and cgroup parent of the first process */
	Pb__SecretEnv *const *secrets;
	size_t n_secrets;
	Pb__SecurityMode security; /* of the first process; the others have its privileges */
};
struct container_io {   /* copied; the functions run on the thread of the process */
	bool wanted[3]; /* stdin, stdout, stderr: a pipe, otherwise /dev/null */
	bool terminal;
	/* At most once, with descriptors as in struct step_io. */
	void (*started)(void *data, const int *fds);
	/* Once, at the end. code 0: success; failure is set otherwise. 255: it could not be started or its status is lost. */
	void (*ended)(void *data, int code, const GError *failure);
	void *data;
};
/*
 * Starts a process on its own thread. Secrets are read before it returns; stop ends that. Errors: FAILED_PRECONDITION
 * after container_release, RESOURCE_EXHAUSTED with LIMIT_CONTAINER_PROCESSES running.
 */
container_process *container_start(container *c, const struct container_command *command, const struct container_io *io,
				   cancel *stop, GError **error);
void container_process_unref(container_process *p);
bool container_process_is_first(const container_process *p);
/* Both wait until the process has started, or stop is set. No effect after its end. */
bool container_process_signal(container_process *p, int signal, cancel *stop, GError **error);
bool container_process_resize(container_process *p, struct step_size size, cancel *stop, GError **error);
/* Kills it; the container remains. */
void container_process_cancel(container_process *p);

/* ---- files of a mount, by its index in options.mounts; as in worker/files.h */
GBytes *container_read_file(container *c, int64_t mount, const char *path, int64_t offset, int64_t length,
			    GError **error);
GPtrArray *container_read_dir(container *c, int64_t mount, const char *path, const char *include, GError **error);
bool container_stat_file(container *c, int64_t mount, const char *path, struct fssync_stat *ret, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(container, container_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(container_process, container_process_unref)
