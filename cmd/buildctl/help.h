/* SPDX-License-Identifier: Apache-2.0 */
/* help: what --help prints of the program and of a command, from their tables. Thread: main. */
#pragma once
#include "command.h"

bool help_program(GError **error);
/* path: "buildctl debug workers". */
bool help_command(const char *path, const struct command *c, GError **error);
/* "help debug workers": topic is NULL-terminated. Errors: INVALID_ARGUMENT. */
bool help_topic(char *const *topic, GError **error);
