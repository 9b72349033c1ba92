/* SPDX-License-Identifier: Apache-2.0 */
/* help: what --help prints of the program and of a command, from their tables. Thread: main. */
#pragma once
#include "command.h"

bool help_program(GError **error);
/* path: "buildctl debug workers". */
bool help_command(const char *path, const struct command *c, GError **error);
/* The error of a command that there is not; the program ends with another status then. */
bool help_unknown_topic(const char *name, GError **error);
bool help_is_unknown_topic(const GError *error);
/* "help debug workers": topic is NULL-terminated. Errors: help_unknown_topic. */
bool help_topic(char *const *topic, GError **error);
