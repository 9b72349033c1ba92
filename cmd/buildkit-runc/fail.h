/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fail: how anything in the runner that cannot go on ends: one report of what was tried and why, then the process.
 *
 *	if (fd < 0) fail(PHASE_MOUNT, errno, "open %s", path);
 *
 * The report goes to the socket that fail_to names; without one, to stderr and to the log of the command line.
 */
#pragma once
#include "runner/plan.h"

void fail_to(int report_fd);
/* Instead of a report: the caller says it its own way; it must not return. */
void fail_by(void (*say)(const struct runner_report *report));
_Noreturn void fail(enum plan_phase phase, int error, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* One report, with a descriptor (or -1). False when nobody listens. */
bool report_send(int fd, const struct runner_report *report, int attached_fd);
