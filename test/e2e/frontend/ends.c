/* SPDX-License-Identifier: Apache-2.0 */
/* The end of the process, and what it leaves. */
#include "frontend.h"

static void mode_hang(void)
{
	nap();
}

static void mode_exit0(void)
{
}

static void mode_exit3(void)
{
	exit(3);
}

/* Not by abort or kill: signals that the first process of a namespace sends to itself have no effect. */
static void mode_crash(void)
{
	*(volatile int *)8 = 0;
}

static void mode_return_hang(void)
{
	mode_wrap();
	nap();
}

static void mode_return_exit5(void)
{
	mode_wrap();
	exit(5);
}

static void mode_error_exit5(void)
{
	mode_error();
	exit(5);
}

/* Processes in other sessions and without the pipes. */
static void mode_leak(void)
{
	for (int i = 0; i < 3; i++) {
		if (fork() != 0)
			continue;
		setsid();
		for (int fd = 0; fd < 10; fd++)
			close(fd);
		nap();
	}
	mode_wrap();
}

static void mode_close_stdout(void)
{
	close(1);
	nap();
}

static void mode_close_stdin(void)
{
	close(0);
	struct bytes request = {0};
	call_start("Ping", request);
	nap();
}

static void mode_log_flood(void)
{
	char line[1000];
	memset(line, 'x', sizeof line);
	line[sizeof line - 1] = '\n';
	for (int i = 0; i < 20000; i++)
		fwrite(line, 1, sizeof line, stderr);
	mode_wrap();
}

static void mode_log_binary(void)
{
	for (int i = 0; i < 1000; i++)
		fputc(i & 255, stderr);
	mode_wrap();
}

const struct mode ends[] = {
	{"hang", mode_hang, false},
	{"silence", mode_hang, true},
	{"exit0", mode_exit0, false},
	{"exit3", mode_exit3, false},
	{"crash", mode_crash, false},
	{"return-hang", mode_return_hang, false},
	{"return-exit5", mode_return_exit5, false},
	{"error-exit5", mode_error_exit5, false},
	{"leak", mode_leak, false},
	{"close-stdout", mode_close_stdout, false},
	{"close-stdin", mode_close_stdin, false},
	{"log-flood", mode_log_flood, false},
	{"log-binary", mode_log_binary, false},
	{NULL, NULL, false},
};
