/* SPDX-License-Identifier: Apache-2.0 */
/* help: prints the help of the program and of its commands from their tables. Thread: main. */
#pragma once
#include "command.h"

bool help_program(GError **error);
/* Prints the help of a command. path is the command line so far, e.g. "buildctl debug workers". */
bool help_command(const char *path, const struct command *c, GError **error);
/* Error of an unknown command; buildctl exits with a different status for it. */
bool help_unknown_topic(const char *name, GError **error);
bool help_is_unknown_topic(const GError *error);
/* Prints the help of a topic such as {"debug", "workers", NULL}. Errors: help_unknown_topic. */
bool help_topic(char *const *topic, GError **error);
