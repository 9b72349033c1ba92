/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's side of the runner, against a program that answers with the errors it is told: this one, as "serve". */
#include "executor/runner.h"
#include "base/scope.h"
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>

/* ---- the program */

static void send_offer(int control_fd, int errnum)
{
	struct runner_offer offer = {.magic = RUNNER_MAGIC, .error = errnum, .pid = getpid()};
	char control[CMSG_SPACE(2 * sizeof(int))] = {0};
	struct iovec part = {&offer, sizeof offer};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
	int pair[2] = {-1, -1}, pidfd = -1;
	if (errnum == 0) {
		g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), ==, 0);
		g_assert_cmpint(pidfd = pidfd_open(getpid(), 0), >=, 0);
		message.msg_control = control;
		message.msg_controllen = sizeof control;
		struct cmsghdr *c = CMSG_FIRSTHDR(&message);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(2 * sizeof(int));
		memcpy(CMSG_DATA(c), (int[]){pair[0], pidfd}, 2 * sizeof(int));
	}
	if (sendmsg(control_fd, &message, MSG_NOSIGNAL) < 0)
		_exit(0); /* the test is over */
	fd_close(&pair[0]);
	fd_close(&pidfd);
}

/* errors: an errno for each request, with commas between; none for what comes after. */
static int serve(int control_fd, const char *errors)
{
	struct runner_request request;
	while (recv(control_fd, &request, sizeof request, 0) == (ssize_t)sizeof request) {
		send_offer(control_fd, atoi(errors));
		const char *next = strchr(errors, ',');
		errors = next != NULL ? next + 1 : "0";
	}
	return 0;
}

/* ---- tests */

static runner *runner_with(const char *errors)
{
	g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
	return runner_new(self, errors, NULL);
}

static void expect_step(runner *r)
{
	g_autoptr(GError) error = NULL;
	struct runner_step s;
	bool ok = runner_take(r, NULL, &s, &error);
	g_assert_no_error(error);
	g_assert_true(ok);
	g_assert_cmpint(s.socket_fd, >=, 0);
	g_assert_cmpint(s.pidfd, >=, 0);
	runner_step_done(&s);
}

static void expect_failure(runner *r)
{
	g_autoptr(GError) error = NULL;
	struct runner_step s;
	g_assert_false(runner_take(r, NULL, &s, &error));
	g_assert_true(error_is(error, ERROR_RESOURCE_EXHAUSTED));
	g_assert_cmpstr(error->message, ==, "start a step: no space left on device");
	runner_step_done(&s);
}

/* 28 is ENOSPC. What could not be started in advance says nothing about the step that is wanted now. */
static void test_errors_in_advance(void)
{
	runner *r = runner_with("0,28,28,0,28,0,28");
	for (int i = 0; i < 6; i++)
		expect_step(r);
	runner_free(r);
}

static void test_error_now(void)
{
	runner *r = runner_with("28,28,28,28,0");
	expect_failure(r); /* the first answer; the next two are those in advance */
	expect_failure(r);
	expect_step(r);
	runner_free(r);
}

int main(int argc, char **argv)
{
	if (argc > 3 && strcmp(argv[1], "serve") == 0)
		return serve(atoi(argv[2]), argv[3]);
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/runner/errors-in-advance", test_errors_in_advance);
	g_test_add_func("/runner/error-now", test_error_now);
	return g_test_run();
}
