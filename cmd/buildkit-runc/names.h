/* SPDX-License-Identifier: Apache-2.0 */
/* names: translates names of runtime specs and command lines to the kernel's numbers. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

int names_capability(const char *name);     /* "CAP_CHOWN"; -1: unknown */
int names_limit(const char *name);          /* "RLIMIT_NOFILE"; -1 */
int names_signal(const char *name);         /* "KILL", "SIGKILL", "9"; -1 */
uint64_t names_namespace(const char *name); /* "pid" -> CLONE_NEWPID; 0: unknown */
/* All names of a table, for the features command; NULL-terminated. */
const char *names_capability_at(unsigned i);
const char *names_namespace_at(unsigned i);
/* Parses a decimal integer within bounds. */
bool names_number(const char *text, int64_t min, int64_t max, int64_t *ret);
