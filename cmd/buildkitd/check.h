/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check: buildkitd --check: tells what this machine lacks to build, one line for each check, without changing anything.
 *
 *	return check_run(&config, argc, argv, NULL);       the exit status: 0, or 1 if something needed is missing
 *
 * A line is "ok", "note" (not needed, or limited) or "missing" (needed), the name of the check, what was found and, after
 * "fix:", what to do. For a user other than root the programs of rootless mode are checked, and then, under rootlesskit,
 * what the daemon needs. Call it before any thread starts.
 */
#pragma once
#include "config.h"

/* problem: the error of the configuration, or NULL. */
int check_run(const struct config *config, int argc, char **argv, const GError *problem);

/* ---- shared by the files of the checks */

enum check_status { CHECK_OK, CHECK_NOTE, CHECK_MISSING };
struct check {
	const char *name;
	enum check_status (*run)(const struct config *config, GString *found, GString *fix);
};
extern const struct check check_user[], check_daemon[]; /* end with a NULL name */

/* Finds a program in PATH: CHECK_OK and its path, or otherwise, with the package as the fix. */
enum check_status check_program(const char *name, const char *package, enum check_status otherwise, GString *found,
				GString *fix);
/* Reads a number from a file of the kernel; otherwise if there is no such file. */
int64_t check_number(const char *path, int64_t otherwise);
/*
 * Enters a private mount namespace, on old kernels with a place for mounts, which the other function removes; it accepts
 * NULL.
 */
bool check_mounts_begin(char **ret_directory, GError **error);
void check_mounts_end(char *directory);
/* Runs a step with the configured runtime in a temporary directory. */
enum check_status check_step(const struct config *config, GString *found, GString *fix);
