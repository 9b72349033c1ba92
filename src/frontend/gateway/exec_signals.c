/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/gateway/exec_process.h"
#include <signal.h>

#define FIRST_REALTIME 34 /* the two before it belong to libc */
#define LAST_REALTIME 64

static const struct {
	const char *name;
	int number;
} names[] = {
	{"ABRT", SIGABRT},
	{"ALRM", SIGALRM},
	{"BUS", SIGBUS},
	{"CHLD", SIGCHLD},
	{"CLD", SIGCHLD},
	{"CONT", SIGCONT},
	{"FPE", SIGFPE},
	{"HUP", SIGHUP},
	{"ILL", SIGILL},
	{"INT", SIGINT},
	{"IO", SIGIO},
	{"IOT", SIGIOT},
	{"KILL", SIGKILL},
	{"PIPE", SIGPIPE},
	{"POLL", SIGPOLL},
	{"PROF", SIGPROF},
	{"PWR", SIGPWR},
	{"QUIT", SIGQUIT},
	{"SEGV", SIGSEGV},
	{"STKFLT", SIGSTKFLT},
	{"STOP", SIGSTOP},
	{"SYS", SIGSYS},
	{"TERM", SIGTERM},
	{"TRAP", SIGTRAP},
	{"TSTP", SIGTSTP},
	{"TTIN", SIGTTIN},
	{"TTOU", SIGTTOU},
	{"URG", SIGURG},
	{"USR1", SIGUSR1},
	{"USR2", SIGUSR2},
	{"VTALRM", SIGVTALRM},
	{"WINCH", SIGWINCH},
	{"XCPU", SIGXCPU},
	{"XFSZ", SIGXFSZ},
	{"RTMIN", FIRST_REALTIME},
	{"RTMAX", LAST_REALTIME},
};

/* "RTMIN+1" to "RTMIN+15", "RTMAX-1" to "RTMAX-14". */
static int realtime_number(const char *name)
{
	bool from_first = g_str_has_prefix(name, "RTMIN+");
	guint64 distance;
	if ((!from_first && !g_str_has_prefix(name, "RTMAX-")) || name[6] == '0' ||
	    !g_ascii_string_to_unsigned(name + 6, 10, 1, from_first ? 15 : 14, &distance, NULL))
		return 0;
	return from_first ? FIRST_REALTIME + (int)distance : LAST_REALTIME - (int)distance;
}

int exec_signal_number(const char *name)
{
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		if (g_str_equal(names[i].name, name))
			return names[i].number;
	return realtime_number(name);
}
