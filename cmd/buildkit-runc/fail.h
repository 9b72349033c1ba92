/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fail: reports what failed and why, then exits.
 *
 *	if (fd < 0) fail(PHASE_MOUNT, errno, "open %s", path);
 *
 * The report is sent to the socket of fail_to, or else written to stderr and to the file of --log.
 */
#pragma once
#include "runner/plan.h"

void fail_to(int report_fd);
/* Calls a function instead of sending a report. The function must not return. */
void fail_by(void (*say)(const struct runner_report *report));
_Noreturn void fail(enum plan_phase phase, int error, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Sends one report, with a descriptor (or -1). Returns false if the peer has closed the socket. */
bool report_send(int fd, const struct runner_report *report, int attached_fd);
