/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process: starts programs with an explicit fd map and waits for them by pidfd.
 *
 *	struct process_spec spec = {.argv = argv, .envp = envp, .fds = fds, .n_fds = 3};
 *	g_autoptr(process) p = process_start(&spec, error);
 *	process_wait(p, cancel, &status, error);
 *
 * Uses posix_spawn; every other fd is closed in the child, and signals have their defaults. PR_SET_PDEATHSIG is not
 * used (see process.c). Thread: any.
 */
#pragma once
#include "base/cancel.h"
#include "os/process_activity.h"
#include <sys/types.h>

typedef struct process process;
/* A resource limit (setrlimit(2)), soft and hard. */
struct process_limit {
	int resource;
	uint64_t max;
};
struct process_spec {
	const char *const *argv; /* argv[0] is looked up in PATH unless it has a slash */
	const char *path;        /* file to execute; NULL: argv[0] */
	const char *const *envp; /* NULL: empty */
	const int *fds;          /* child fd i gets fds[i]; -1 is /dev/null */
	size_t n_fds;
	int cwd_fd; /* used when has_cwd */
	bool has_cwd;
	bool new_session;                   /* setsid */
	bool kill_group;                    /* with new_session: process_free also kills the whole process group */
	const struct process_limit *limits; /* set directly after the start */
	size_t n_limits;
	struct stall_rule stall; /* with new_session, process_run only: a stall is an error and kills the program */
	int64_t timeout_ms; /* process_run only: a longer run is DEADLINE_EXCEEDED and kills the program; 0: no limit */
};
process *process_start(const struct process_spec *spec, GError **error);
pid_t process_pid(const process *p);
int process_exit_fd(const process *p); /* readable when the process has ended; borrowed */
bool process_signal(process *p, int signal);
/* ret_status as from waitpid. On cancellation: CANCELED, the process still runs. c may be NULL. */
bool process_wait(process *p, cancel *c, int *ret_status, GError **error);
int process_exit_code(int status); /* of a status as from waitpid; 128 + signal when a signal ended the process */
void process_free(process *p);     /* kills and reaps it if it still runs */
/*
 * Runs the program until it exits and captures stdout and stderr (each at most max_bytes). A non-zero exit status is
 * not an error here.
 */
bool process_run(const struct process_spec *spec, const void *input, size_t n_input, size_t max_bytes, cancel *c,
		 int *ret_status, GBytes **ret_stdout, GBytes **ret_stderr, GError **error);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(process, process_free)
