/* SPDX-License-Identifier: Apache-2.0 */
/*
 * program: the last steps inside: working directory, the program's place in PATH, exec.
 */
#pragma once
#include "runner/plan.h"
#include <stddef.h>

/* Changes to it, making it when missing; what lies outside the root is refused. False: not permitted yet. */
bool program_enter_cwd(const struct plan *plan, bool last_try);
/* Resolves args[0] as a shell would; ends with a report when there is nothing to run. */
const char *program_find(const struct plan *plan, char *path, size_t size);
_Noreturn void program_exec(const struct plan *plan, const char *path);
/* HOME from the passwd file of the root we are in, when the environment has none. Changes plan->env. */
void program_set_home(struct plan *plan, const char **env, char *text, size_t size);
