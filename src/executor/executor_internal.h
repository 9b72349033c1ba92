/* SPDX-License-Identifier: Apache-2.0 */
/*
 * executor_internal: shared by the two ways to run a step: an OCI runtime on a bundle (runtime_step.c) and
 * buildkit-runc (runner_step.c). Thread: as in executor.h.
 */
#pragma once
#include "executor/bundle_runner.h"
#include "executor/cgroup.h"
#include "executor/executor.h"
#include "executor/labels.h"
#include "executor/names.h"
#include "executor/parents.h"
#include "executor/pump.h"
#include "executor/runner.h"
#include "executor/step_process.h"
#include "executor/stubs.h"
#include "executor/tracing.h"
#include "trace/trace.h"
#include "os/passwd.h"

enum runtime_keep { RUNTIME_KEEP_UNKNOWN, RUNTIME_KEEPS, RUNTIME_KEEPS_NOT };

struct executor {
	char *path, *state_path; /* <root>/executor, its runtime state */
	int fd, state_fd;        /* owned */
	char *binary, *cgroup_parent, *apparmor_profile;
	char *seccomp;                             /* JSON; NULL: none */
	bool confines;                             /* buildkit-runc: steps get the same filter */
	GMutex seccomp_mu;                         /* guards seccomp_program */
	GBytes *seccomp_program;                   /* see executor_seccomp_program; NULL: not compiled yet */
	runner *runner;                            /* NULL: an OCI runtime is used */
	gint keep;                                 /* atomic; enum runtime_keep of binary as an OCI runtime */
	const struct bundle_runner *bundle_runner; /* borrowed; NULL: binary runs bundles */
	network_provider *provider;                /* borrowed; NULL: none */
	network_provider *network;                 /* the same; NULL: steps use the daemon's namespace */
	int trace_fd;                              /* borrowed; 0: none */
	char *instance;
	parents *parents; /* owned */
	char **caps;
	char **nameservers, **dns_options, **dns_search;
	struct names_files names;
	struct cgroups cgroups;
	resource_sampler *usage; /* owned */
	bool allow_network_host, allow_security_insecure;
	labels *labels;                                /* owned; NULL: steps are not labelled */
	bool lacks_apparmor, lacks_selinux;            /* a profile, or labels, are wanted and this host has none */
	bool rootless, no_devices, no_process_sandbox; /* see struct spec_input */
};

struct step_run { /* all borrowed */
	const struct step *step;
	const struct step_io *io;         /* may be NULL */
	const char *cgroup_parent;        /* "": none */
	const network_namespace *network; /* NULL: the daemon's, or a new one without a network */
	struct work *work;
	pump_output_fn output;
	void *output_data;
	const struct step_labels *labels; /* members NULL: no labels */
	step_process *process;            /* the handle for io->started */
};
bool runtime_step_run(executor *e, const struct step_run *run, struct step_exit *ret_exit, GError **error);
bool runner_step_run(executor *e, const struct step_run *run, struct step_exit *ret_exit, GError **error);
/*
 * A further process: first is what step_process_enter returned for the step; run->step is the step with the arguments,
 * environment, directory and user of the process.
 */
bool runtime_step_exec(executor *e, void *first, const struct step_run *run, struct step_exit *ret_exit,
		       GError **error);
bool runner_step_exec(executor *e, void *first, const struct step_run *run, struct step_exit *ret_exit, GError **error);
/* Returns the step that runs in a handle's process. */
const struct step *runtime_step_of(void *first);
const struct step *runner_step_of(void *first);

/* Begins to record what a step uses, in a cgroup that may not exist yet. No effect if it is not wanted. */
void executor_usage_begin(executor *e, const struct step *step, const char *cgroup);
/*
 * The compiled filter for buildkit-runc, borrowed; NULL and no error: none is wanted. Compiling takes about 2 ms, so the
 * first step does it and not the daemon's start.
 */
bool executor_seccomp_program(executor *e, GBytes **ret, GError **error);
/* Creates a missing working directory, which belongs to the user and stays in the result. */
bool executor_ensure_cwd(const struct step *step, const struct passwd_user *user, GError **error);
/* Reports whether the mount point of this mount is in the root itself rather than in an earlier mount. */
bool executor_is_in_root(const struct step *step, size_t index);
enum stub_kind executor_stub_kind(const struct step_mount *m, bool directory);
/* Returns a selector as a clean absolute path; NULL: the whole tree. Owned. */
char *executor_selector(const struct step_mount *m);
/* Reports whether the hosts file is specific to the step rather than shared. */
bool executor_needs_own_hosts(const struct step *step);
