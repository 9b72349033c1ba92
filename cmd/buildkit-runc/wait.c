/* SPDX-License-Identifier: Apache-2.0 */
#include "wait.h"
#include "fail.h"
#include "sys.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>

static struct termios saved;
static bool is_raw;

static void make_raw(void)
{
	struct termios raw;
	if (tcgetattr(STDIN_FILENO, &saved) != 0)
		return;
	raw = saved;
	cfmakeraw(&raw);
	is_raw = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
}

static void pass_size(int console_fd)
{
	struct winsize size;
	if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0)
		ioctl(console_fd, TIOCSWINSZ, &size);
}

/* Copies available bytes; returns false at the end of the input. */
static bool copy(int from, int to)
{
	char buffer[16384];
	ssize_t n = read(from, buffer, sizeof buffer);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return true;
	for (ssize_t done = 0; n > 0 && done < n;) {
		ssize_t written = write(to, buffer + done, (size_t)(n - done));
		if (written < 0 && errno != EINTR)
			return false;
		done += written > 0 ? written : 0;
	}
	return n > 0;
}

static int code_of(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Returns true when the process has ended. */
static bool take_signals(int signal_fd, pid_t pid, int console_fd, int *ret_code)
{
	struct signalfd_siginfo info;
	int status;
	while (read(signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
		if (info.ssi_signo == SIGWINCH && console_fd >= 0)
			pass_size(console_fd);
		else if (info.ssi_signo != SIGCHLD && info.ssi_signo != SIGURG)
			kill(pid, (int)info.ssi_signo);
	}
	if (waitpid(pid, &status, WNOHANG) != pid)
		return false;
	*ret_code = code_of(status);
	return true;
}

void wait_prepare(void)
{
	sigset_t all;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
}

int wait_for(pid_t pid, int console_fd)
{
	sigset_t all;
	int code = 0;
	sigfillset(&all);
	auto_fd signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals < 0)
		fail(PHASE_PLAN, errno, "wait for signals");
	if (console_fd >= 0) {
		make_raw();
		pass_size(console_fd);
	}
	struct pollfd fds[3] = {{.fd = signals, .events = POLLIN},
				{.fd = console_fd, .events = POLLIN},
				{.fd = console_fd >= 0 ? STDIN_FILENO : -1, .events = POLLIN}};
	while (!take_signals(signals, pid, console_fd, &code)) {
		poll(fds, 3, -1);
		if (fds[1].revents != 0 && !copy(console_fd, STDOUT_FILENO))
			fds[1].fd = -1;
		if (fds[2].revents != 0 && !copy(STDIN_FILENO, console_fd))
			fds[2].fd = -1;
	}
	/* Copies the output that is left in the terminal. */
	while (fds[1].fd >= 0 && poll(&fds[1], 1, 0) == 1 && copy(console_fd, STDOUT_FILENO))
		continue;
	if (is_raw)
		tcsetattr(STDIN_FILENO, TCSANOW, &saved);
	return code;
}
