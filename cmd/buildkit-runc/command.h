/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command: the command line of an OCI runtime (https://github.com/opencontainers/runtime-tools), compatible with runc.
 *
 *	return command_main(argc, argv);
 */
#pragma once
#include "runner/plan.h"

struct command_options {
	/* options of all commands */
	const char *root, *log;
	bool log_json;
	/* options of some commands */
	const char *bundle, *console_socket, *pid_file, *process, *cwd, *user;
	struct plan_strings env, caps;
	int64_t preserve;
	bool detach, keep, force, all, tty, no_new_privs, no_keyring;
	/* remaining arguments */
	char **args;
	int n_args;
};
struct command {
	const char *name, *usage;
	unsigned bit;           /* the options it accepts */
	int min_args, max_args; /* number of arguments; -1: any */
	int (*run)(const struct command_options *o);
};
extern const struct command commands[];
enum command_bit {
	COMMAND_CREATE = 1,
	COMMAND_RUN = 2,
	COMMAND_START = 4,
	COMMAND_STATE = 8,
	COMMAND_KILL = 16,
	COMMAND_DELETE = 32,
	COMMAND_EXEC = 64,
	COMMAND_FEATURES = 128
};

int command_main(int argc, char **argv);

int command_create(const struct command_options *o);
int command_run(const struct command_options *o);
int command_start(const struct command_options *o);
int command_state(const struct command_options *o);
int command_kill(const struct command_options *o);
int command_delete(const struct command_options *o);
int command_exec(const struct command_options *o);
int command_features(const struct command_options *o);

/* Called before a failing command exits, to undo its work. */
struct container;
void command_undo(struct container *c, const char *cgroup);
