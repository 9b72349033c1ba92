/* SPDX-License-Identifier: Apache-2.0 */
/* program: the last steps before exec: working directory and search of the program in PATH. */
#pragma once
#include "runner/plan.h"
#include <stddef.h>

/*
 * Changes to the working directory and creates it if missing; refuses a directory outside the root. Returns false if
 * the caller is not permitted to enter it yet.
 */
bool program_enter_cwd(const struct plan *plan, bool last_try);
/* Resolves args[0] in PATH like a shell; exits with a report if there is no such program. */
const char *program_find(const struct plan *plan, char *path, size_t size);
_Noreturn void program_exec(const struct plan *plan, const char *path);
/* Sets HOME in plan->env from the passwd file of the root, if it is not set. */
void program_set_home(struct plan *plan, const char **env, char *text, size_t size);
