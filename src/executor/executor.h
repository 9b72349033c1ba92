/* SPDX-License-Identifier: Apache-2.0 */
/*
 * executor: runs a step: converts it to an OCI runtime spec or a runner plan, and starts one process.
 *
 *	struct step step = {.args = argv, .root_fd = root, ...};
 *	struct step_exit exit;
 *	if (!executor_run(e, &step, work, &exit, error)) ...        could not be run, or was canceled
 *	if (exit.code != 0) ...
 *
 * A caller that talks to the step requests pipes or a terminal, and gets its ends and a handle when the step has started:
 *
 *	static void started(void *data, step_process *process, const int *fds)
 *	{
 *		struct talk *t = data;
 *		t->process = step_process_ref(process);          step_process_signal(t->process, SIGTERM, error)
 *		t->in = fds[0], t->out = fds[1];                 taken; close(t->in) is the end of the step's input
 *	}
 *	const struct step_io io = {.streams = {STEP_STREAM_PIPE, STEP_STREAM_PIPE, STEP_STREAM_LOG},
 *				   .started = started, .data = &talk};
 *	step.io = &io;
 *	executor_run(e, &step, work, &exit, error)               meanwhile, on another thread:
 *	executor_exec(e, talk.process, &further, work, &exit, error)
 *
 * A step is plain borrowed data, so that OCI runtimes and buildkit-runc can both use it. Entitlements are checked here.
 * Thread: any; executor_run and executor_exec block one thread.
 */
#pragma once
#include "base/work.h"
#include "netproxy/netproxy.h"
#include "network/network.h"
#include "resources/sampler.h"
#include <stdint.h>
#include <sys/types.h>

typedef struct executor executor;

struct executor_options {
	int root_fd;           /* borrowed: <root>/executor is created beneath it */
	const char *root_path; /* absolute, because OCI runtimes take paths */
	const char *binary;    /* NULL, "": buildkit-runc beside the daemon, else buildkit-runc or runc in PATH */
	const struct bundle_runner *bundle_runner; /* borrowed; runs bundles in place of a program; may be NULL */
	const char *cgroup_parent;
	const char *apparmor_profile;
	const char *const *dns_nameservers, *const *dns_options, *const *dns_search; /* NULL: the host's */
	network_provider
		*network;     /* borrowed; namespaces of steps; NULL: the daemon's is used, and there are no proxies */
	int trace_fd;         /* borrowed; the socket file of the trace service for steps (tracing.h); 0: none */
	const char *instance; /* prefix of names that runners give; leftover steps are found by their bundles */
	bool allow_network_host, allow_security_insecure;
	bool no_seccomp;
	bool no_process_sandbox; /* steps share the daemon's pid namespace and /proc */
	bool rootless;           /* specs for OCI runtimes have no cgroup, no limits and no /sys */
	bool selinux;            /* label steps */
};
/* Errors: NOT_FOUND "failed to find runc binary". Kills and removes steps that a previous daemon left. */
executor *executor_new(const struct executor_options *options, GError **error);
void executor_free(executor *e);
const char *executor_binary(const executor *e);
/* What the steps of the executor use. Borrowed. */
resource_sampler *executor_usage(const executor *e);
/* Returns the path of the program that executor_new would use, owned; NULL: there is none. */
char *executor_find_binary(const char *binary);

enum step_network { STEP_NETWORK_DEFAULT, STEP_NETWORK_HOST, STEP_NETWORK_NONE };
enum step_mount_type { STEP_MOUNT_TREE, STEP_MOUNT_TMPFS };
struct step_mount {
	enum step_mount_type type;
	int fd;      /* TREE: a detached mount, which is moved into the step, or any file or directory; borrowed */
	bool shared; /* TREE: a mount kept by executor_hold; it is bound, not moved */
	const char *selector; /* TREE: path inside it, resolved beneath; NULL: all */
	const char *dest;     /* absolute, clean */
	bool readonly;
	bool nosuid, nodev, noexec;
	int64_t tmpfs_size; /* 0: unlimited */
};
struct step_host {
	const char *host, *ip;
};
struct step_limit {
	const char *name; /* "nofile" */
	int64_t soft, hard;
};
struct step_device {      /* a device node of the step, and the access that its processes have */
	const char *path; /* absolute, clean, below /dev */
	char type;        /* 'b', 'c', 'p' */
	uint32_t major, minor, mode;
	int64_t uid, gid;   /* -1: those of the step's user */
	const char *access; /* letters of "rwm" */
};
struct step_hook { /* a program that the runtime starts (opencontainers/runtime-spec, config.md, "POSIX-platform hooks") */
	const char *name; /* "createContainer" */
	const char *path;
	const char *const *args, *const *env; /* NULL-terminated */
	int64_t timeout;                      /* seconds; -1: none */
};
struct step_resources { /* LinuxResources; 0 or NULL: unset */
	int64_t memory, memory_swap, cpu_quota;
	uint64_t cpu_shares, cpu_period;
	const char *cpuset_cpus, *cpuset_mems;
};

/* A running process: the first one of a step or a further one. Counted. Thread: any. */
typedef struct step_process step_process;
enum step_stream {
	STEP_STREAM_LOG,  /* stdout, stderr: step.output; stdin: as NULL */
	STEP_STREAM_NULL, /* /dev/null */
	STEP_STREAM_PIPE, /* a pipe whose other end the caller gets */
};
struct step_size {
	uint32_t rows, columns;
};
struct step_io {
	enum step_stream streams[3]; /* stdin, stdout, stderr */
	bool terminal;               /* a new terminal in place of the three streams */
	struct step_size size;       /* of the terminal; 0: not set */
	/*
	 * Called once on the thread that runs the process, when it has been started, or has failed after its streams were
	 * created. fds (taken, non-blocking, -1: none): stdin's write end, the read ends of stdout and stderr; with a
	 * terminal the first two are the terminal's. A read returns EIO when a terminal has no user any more. NULL: not
	 * called, if no stream is a pipe.
	 */
	void (*started)(void *data, step_process *process, const int *fds);
	void *data;
};
struct step_proxy {                /* borrowed */
	netproxy_policy *policy;   /* NULL: everything is allowed */
	netproxy_capture *capture; /* NULL: requests are not recorded */
};
struct step {
	const char *const *args;   /* NULL-terminated */
	const char *const *env;    /* complete: includes the default PATH, proxies and secrets */
	const char *cwd;           /* absolute */
	const char *user;          /* "", "name", "uid:gid", ... */
	const char *hostname;      /* NULL or "": buildkitsandbox */
	const char *cgroup_parent; /* NULL: the executor's */
	int root_fd;               /* detached mount of the root; it is moved into the step */
	bool root_readonly;
	const struct step_mount *mounts; /* sorted by dest; a selector is resolved inside the tree, links included */
	size_t n_mounts;
	const struct step_host *hosts;
	size_t n_hosts;
	const struct step_limit *limits;
	size_t n_limits;
	struct step_resources resources;
	const struct step_device *devices;
	size_t n_devices;
	const struct step_hook *hooks; /* buildkit-runc has none: UNIMPLEMENTED */
	size_t n_hooks;
	const uint32_t *groups; /* in addition to those of the user */
	size_t n_groups;
	enum step_network network;
	/*
	 * The step's namespace has no network, only a proxy that is named in its environment and trusted by its root
	 * (netproxy/netproxy.h); network says from where the proxy reaches servers. NULL: none. Ignored with NONE.
	 */
	const struct step_proxy *proxy;
	bool insecure; /* security mode */
	bool remove_stubs_recursive;
	const struct step_io *io; /* NULL: stdin is empty; stdout and stderr go to output */
	step_usage *usage;        /* borrowed; new; records what the step uses; NULL: nothing is recorded */
	/*
	 * Receives output as it arrives; stream 1 or 2; on the calling thread. NULL: to work->progress with the step
	 * log limits.
	 */
	void (*output)(void *data, int stream, const void *bytes, size_t n);
	void *output_data;
};
struct step_exit {
	int code; /* as the runtime reports it: 128 + signal when killed; 255 unknown */
	bool oom_killed;
};
/*
 * Returns false if the step could not run or was canceled (then ret_exit is set if it ran); true for any exit code. When its first process exits, the
 * kernel kills the others; it returns after every executor_exec in it.
 */
bool executor_run(executor *e, const struct step *step, struct work *work, struct step_exit *ret_exit, GError **error);

/* A further process in a running step; it has the step's tree, namespaces, cgroup, limits and privileges. */
struct step_command {
	const char *const *args; /* NULL-terminated */
	const char *const *env;  /* NULL or empty: the step's */
	const char *cwd;         /* NULL or "": the step's */
	const char *user;        /* NULL or "": the step's */
	const struct step_io *io;
	void (*output)(void *data, int stream, const void *bytes, size_t n); /* as in struct step */
	void *output_data;
};
/*
 * first is the handle of the step's first process. On cancellation this process is killed, the step continues. Errors:
 * FAILED_PRECONDITION "the step has exited", and those of executor_run.
 */
bool executor_exec(executor *e, step_process *first, const struct step_command *command, struct work *work,
		   struct step_exit *ret_exit, GError **error);

step_process *step_process_ref(step_process *p);
void step_process_unref(step_process *p);
/* No effect after the process has exited. Errors: INVALID_ARGUMENT for an unknown signal. */
bool step_process_signal(step_process *p, int signal, GError **error);
/* Sets the size of the terminal. No effect without a terminal and after the process has exited. */
bool step_process_resize(step_process *p, struct step_size size, GError **error);

/*
 * Keeps a detached mount attached at a hidden path, so that several steps can share it (step_mount.shared). The name is
 * for executor_release, which frees it; the caller keeps the descriptor.
 */
char *executor_hold(executor *e, int mount_fd, GError **error);
void executor_release(executor *e, char *name);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(step_process, step_process_unref)
