/* SPDX-License-Identifier: Apache-2.0 */
#include "fail.h"
#include "sys.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int report_fd = -1;
static void (*say)(const struct runner_report *report);

void fail_to(int fd)
{
	report_fd = fd;
}

void fail_by(void (*fn)(const struct runner_report *report))
{
	say = fn;
}

bool report_send(int fd, const struct runner_report *report, int attached_fd)
{
	return sys_send(fd, report, sizeof *report, &attached_fd, attached_fd >= 0) == 0;
}

void fail(enum plan_phase phase, int error, const char *format, ...)
{
	struct runner_report r = {.kind = RUNNER_FAILED, .phase = phase, .error = error};
	va_list args;
	va_start(args, format);
	vsnprintf(r.text, sizeof r.text, format, args);
	va_end(args);
	if (report_fd >= 0)
		report_send(report_fd, &r, -1);
	else if (say != NULL)
		say(&r);
	else
		dprintf(STDERR_FILENO, "buildkit-runc: %s: %s%s%s\n", plan_phase_text(phase), r.text,
			error != 0 ? ": " : "", error != 0 ? strerror(error) : "");
	_exit(1);
}
