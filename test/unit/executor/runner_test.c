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
	return runner_new(self, errors, NULL, true);
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

static void init_texts(struct plan *p)
{
	plan_init(p);
	p->cwd = p->apparmor = p->selinux = p->mount_label = p->keyring = p->hostname = p->domainname = p->cgroup = "";
	p->resources.cpus = p->resources.mems = "";
}

/* text: a pattern; NULL: none. A refused plan is not sent in part. */
static void expect_refusal(const GError *error, const char *text, int end)
{
	char byte;
	if (!text) {
		g_assert_no_error(error);
		return;
	}
	g_assert_nonnull(error);
	if (!g_pattern_match_simple(text, error->message))
		g_assert_cmpstr(error->message, ==, text);
	g_assert_cmpint(error_get_code(error), ==, ERROR_INVALID_ARGUMENT);
	g_assert_cmpint(recv(end, &byte, 1, MSG_DONTWAIT), <, 0);
}

/* A plan that the step could not read is refused before anything of it is sent. */
static void test_too_large(void)
{
	enum { MANY = 65536 };
	static const char *list[MANY + 1];
	static uint32_t groups[MANY + 1];
	static struct plan_limit limits[MANY + 1];
	static struct plan_mount mounts[MANY + 1];
	g_autofree char *large = g_strnfill(PLAN_MAX_BYTES, 'x');
	struct plan p;
	int ends[2];
	for (size_t i = 0; i < G_N_ELEMENTS(list); i++)
		list[i] = "";
	const struct plan_strings none = {list, 0}, most = {list, MANY}, more = {list, MANY + 1};
	const struct {
		struct plan_strings args, env;
		uint32_t n_limits, n_groups, n_mounts;
		const char *hostname;
		size_t n_fds;
		const char *text;
	} cases[] = {
		{.args = more, .text = "the step has 65537 arguments, limit is 65536"},
		{.env = more, .text = "the step has 65537 environment variables, limit is 65536"},
		{.n_limits = MANY + 1, .text = "the step has 65537 resource limits, limit is 65536"},
		{.n_groups = MANY + 1, .text = "the step has 65537 groups, limit is 65536"},
		{.n_mounts = MANY + 1, .text = "the step has 65537 mounts, limit is 65536"},
		{.n_fds = 4097, .text = "the step has 4097 descriptors of mounts and streams, limit is 4096"},
		{.hostname = large,
		 .text = "the step has 16777??? bytes of arguments, environment and mounts, limit is 16777216"},
		{.args = most, .env = most, .text = NULL},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		init_texts(&p);
		p.args = cases[i].args.n > 0 ? cases[i].args : none;
		p.env = cases[i].env.n > 0 ? cases[i].env : none;
		p.limits = limits;
		p.n_limits = cases[i].n_limits;
		p.groups = groups;
		p.n_groups = cases[i].n_groups;
		p.mounts = mounts;
		p.n_mounts = cases[i].n_mounts;
		p.hostname = cases[i].hostname ? cases[i].hostname : "";
		g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), ==, 0);
		struct runner_step s = {.socket_fd = ends[0], .pidfd = -1};
		const int size = 4 << 20; /* for the plan that fits: nothing reads while it is sent */
		g_assert_cmpint(setsockopt(ends[0], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size), ==, 0);
		runner_send(&s, &p, NULL, cases[i].n_fds, &error);
		expect_refusal(error, cases[i].text, ends[1]);
		runner_step_done(&s);
		fd_close(&ends[1]);
	}
}

/* An upgrade replaces the file of the program: a daemon that runs continues to use the one that it found. */
static void test_replaced_program(void)
{
	g_autofree char *dir = g_dir_make_tmp("runner-XXXXXX", NULL);
	g_autofree char *path = g_build_filename(dir, "program", NULL);
	g_autofree char *bytes = NULL;
	gsize n;
	g_assert_true(g_file_get_contents("/proc/self/exe", &bytes, &n, NULL));
	g_assert_true(g_file_set_contents_full(path, bytes, (gssize)n, G_FILE_SET_CONTENTS_CONSISTENT, 0755, NULL));
	runner *r = runner_new(path, "0", NULL, true);
	g_assert_true(g_file_set_contents_full(path, "#!/bin/false\n", -1, G_FILE_SET_CONTENTS_CONSISTENT, 0755, NULL));
	expect_step(r);
	runner_free(r);
	g_assert_cmpint(unlink(path), ==, 0);
	g_assert_cmpint(rmdir(dir), ==, 0);
}

static void test_missing_program(void)
{
	g_autoptr(GError) error = NULL;
	struct runner_step s;
	runner *r = runner_new("/nosuch/program", "0", NULL, true);
	g_assert_false(runner_take(r, NULL, &s, &error));
	g_assert_true(error_is(error, ERROR_NOT_FOUND));
	g_assert_cmpstr(error->message, ==, "no program /nosuch/program");
	runner_step_done(&s);
	runner_free(r);
}

int main(int argc, char **argv)
{
	if (argc > 3 && strcmp(argv[1], "serve") == 0)
		return serve(atoi(argv[2]), argv[3]);
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/runner/errors-in-advance", test_errors_in_advance);
	g_test_add_func("/runner/error-now", test_error_now);
	g_test_add_func("/runner/too-large", test_too_large);
	g_test_add_func("/runner/replaced-program", test_replaced_program);
	g_test_add_func("/runner/missing-program", test_missing_program);
	return g_test_run();
}
