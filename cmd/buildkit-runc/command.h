/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command: the command line of an OCI runtime (https://github.com/opencontainers/runtime-tools), compatible with runc.
 *
 *	return command_main(argc, argv);
 *
 * buildkit-runc has one thread; its other headers do not repeat that.
 */
#pragma once
#include "runner/plan.h"
#include <stdio.h>

struct command_options {
	/* options of all commands */
	const char *root, *log;
	bool log_json;
	/* options of some commands */
	const char *bundle, *console_socket, *pid_file, *process, *cwd, *user;
	struct plan_strings env, caps;
	int64_t preserve;
	bool help;
	bool detach, keep, force, all, tty, no_new_privs, no_keyring;
	/* remaining arguments */
	char **args;
	int n_args;
};
struct command {
	const char *name, *arguments, *help;
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

enum command_option_kind {
	OPTION_TEXT,
	OPTION_LIST,
	OPTION_FLAG,
	OPTION_NUMBER,
	OPTION_HELP,
	OPTION_IGNORED,
	OPTION_IGNORED_TEXT,
	OPTION_REFUSED
};
/* One option; the table ends with a row without a name. Parser, help and manual page read it. */
struct command_option {
	const char *name;
	char letter; /* 0: no short form */
	enum command_option_kind kind;
	unsigned commands; /* of enum command_bit; 0: before the command */
	size_t offset;     /* in struct command_options; SIZE_MAX: log_json */
	const char *value; /* word for the value in help; NULL: takes none */
	const char *help;
};
extern const struct command_option command_option_rows[];
/* Reports whether a command accepts the option. command: of enum command_bit, 0 before the command. */
bool command_option_of(const struct command_option *option, unsigned command);
/* Prints the help of a command, or of the program for NULL. Returns 0. */
int command_help(FILE *to, const struct command *command);

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
