/* SPDX-License-Identifier: Apache-2.0 */
#include "os/process.h"
#include "base/scope.h"
#include "lib/outcome.h"
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

static char *run(const char *script, const char *input, int *ret_status)
{
	const char *const argv[] = {"sh", "-c", script, NULL};
	const char *const env[] = {"PATH=/usr/bin:/bin", "KEY=value", NULL};
	struct process_spec spec = {.argv = argv, .envp = env};
	g_autoptr(GBytes) out = NULL, err = NULL;
	g_autoptr(GError) error = NULL;
	g_assert_true(
		process_run(&spec, input, input ? strlen(input) : 0, 1 << 20, NULL, ret_status, &out, &err, &error));
	g_assert_no_error(error);
	return g_strndup(g_bytes_get_data(out, NULL), g_bytes_get_size(out));
}

static void test_run(void)
{
	int status;
	g_autofree char *a = run("cat; echo $KEY $HOME; exit 3", "input\n", &status);
	g_assert_cmpstr(a, ==, "input\nvalue\n");
	g_assert_cmpint(process_exit_code(status), ==, 3);
	g_autofree char *killed = run("kill -9 $$", NULL, &status);
	g_assert_cmpint(process_exit_code(status), ==, 128 + 9);
	g_autofree char *b = run("exec <&-; sleep 0.05; echo done", "not read", &status);
	g_assert_cmpstr(b, ==, "done\n");
}

/* The child gets only fds 0, 1 and 2; it does not ignore signals. */
static void test_inherits_nothing(void)
{
	int status, open_one = open("/dev/null", O_RDONLY); /* without close-on-exec */
	g_autofree char *fds = run("ls /proc/self/fd | wc -l", NULL, &status);
	g_assert_cmpint((int)g_ascii_strtoll(fds, NULL, 10), ==, 4); /* and the fd that ls reads the directory with */
	g_autofree char *blocked = run("sed -n 's/^SigBlk:.//p' /proc/self/status", NULL, &status);
	g_autofree char *ignored = run("sed -n 's/^SigIgn:.//p' /proc/self/status", NULL, &status);
	g_assert_cmpuint(g_ascii_strtoull(blocked, NULL, 16), ==, 0);
	g_assert_cmpuint(g_ascii_strtoull(ignored, NULL, 16) & 0x7fffffff, ==, 0); /* 32, 33: C library */
	close(open_one);
}

/* The program and what it started are killed. */
static void test_timeout(void)
{
	const char *const argv[] = {"sh", "-c", "sleep 1000 & wait", NULL};
	const char *const env[] = {"PATH=/usr/bin:/bin", NULL};
	struct process_spec spec = {
		.argv = argv, .envp = env, .new_session = true, .kill_group = true, .timeout_ms = 100};
	int status;
	g_autoptr(GError) error = NULL;
	g_assert_false(process_run(&spec, NULL, 0, 1 << 20, NULL, &status, NULL, NULL, &error));
	g_assert_true(error_is(error, ERROR_DEADLINE_EXCEEDED));
	g_assert_cmpstr(error->message, ==, "did not exit within 0.1 s");
}

/* The program waits for its input, which comes after the limits are set. */
static void test_limits(void)
{
	const char *const argv[] = {"sh", "-c", "read x; ulimit -St; ulimit -Hc", NULL};
	const char *const env[] = {"PATH=/usr/bin:/bin", NULL};
	const struct process_limit limits[] = {{RLIMIT_CPU, 77}, {RLIMIT_CORE, 0}};
	struct process_spec spec = {.argv = argv, .envp = env, .limits = limits, .n_limits = 2};
	int status;
	g_autoptr(GBytes) out = NULL, err = NULL;
	g_autoptr(GError) error = NULL;
	g_assert_true(process_run(&spec, "x\n", 2, 1 << 20, NULL, &status, &out, &err, &error));
	g_assert_cmpmem(g_bytes_get_data(out, NULL), g_bytes_get_size(out), "77\n0\n", 5);
}

static void test_fd_map(void)
{
	int ends[2];
	g_assert_cmpint(pipe2(ends, O_CLOEXEC), ==, 0);
	const char *const argv[] = {"/bin/sh", "-c", "echo one; echo two >&3", NULL};
	const int fds[] = {-1, ends[1], 0, ends[1]};
	struct process_spec spec = {.argv = argv, .fds = fds, .n_fds = 4, .new_session = true};
	g_autoptr(process) p = process_start(&spec, NULL);
	close(ends[1]);
	int status;
	assert_succeeds(process_wait(p, NULL, &status, &failure));
	char text[32] = "";
	g_assert_cmpint(read(ends[0], text, sizeof text - 1), ==, 8);
	g_assert_cmpstr(text, ==, "one\ntwo\n");
	close(ends[0]);
}

static void test_missing(void)
{
	const char *const argv[] = {"/no/such/program", NULL};
	struct process_spec spec = {.argv = argv};
	g_autoptr(GError) error = NULL;
	g_assert_null(process_start(&spec, &error));
	g_assert_true(error_is(error, ERROR_NOT_FOUND));
}

static gpointer cancel_later(gpointer data)
{
	/* A later moment than that at which process_wait begins to wait, which nothing reports: time itself. */
	g_usleep(50000);
	cancel_set(data, ERROR_CANCELED, NULL);
	return NULL;
}

static void test_cancel_and_free(void)
{
	const char *const argv[] = {"sleep", "100", NULL};
	struct process_spec spec = {.argv = argv};
	g_autoptr(cancel) c = cancel_new(NULL);
	g_autoptr(GError) error = NULL;
	process *p = process_start(&spec, NULL);
	pid_t pid = process_pid(p);
	GThread *thread = g_thread_new("cancel", cancel_later, c);
	int status;
	g_assert_false(process_wait(p, c, &status, &error));
	g_assert_true(error_is(error, ERROR_CANCELED));
	g_assert_cmpint(kill(pid, 0), ==, 0);
	process_free(p);
	g_assert_cmpint(kill(pid, 0), ==, -1);
	g_thread_join(thread);
}

static void test_output_ceiling(void)
{
	const char *const argv[] = {"sh", "-c", "while :; do echo yyyyyyyyyyyyyyyy; done", NULL};
	struct process_spec spec = {.argv = argv};
	int status;
	g_autoptr(GError) error = NULL;
	g_assert_false(process_run(&spec, NULL, 0, 1000, NULL, &status, NULL, NULL, &error));
	g_assert_true(error_is(error, ERROR_RESOURCE_EXHAUSTED));
}

static void test_background_child_does_not_hang(void)
{
	int status;
	g_autofree char *out = run("sleep 100 & echo $!", NULL, &status);
	pid_t pid = (pid_t)g_ascii_strtoll(out, NULL, 10);
	g_assert_cmpint(pid, >, 0);
	kill(pid, SIGKILL);
}

/* For the session started by sh: sleeping is a stall; writing, computing and starting processes is not. */
static void test_stall(void)
{
	static const struct {
		const char *script;
		bool stalls;
	} rows[] = {
		{"sleep 600", true},
		{"(sleep 600) & wait", true},
		{"for i in $(seq 12); do dd if=/dev/zero bs=64k count=1 2> /dev/null; sleep 0.1; done", false},
		{"i=0; while [ $i -lt 200000 ]; do i=$((i + 1)); done", false},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		const char *const argv[] = {"sh", "-c", rows[i].script, NULL};
		const char *const env[] = {"PATH=/usr/bin:/bin", NULL};
		struct process_spec spec = {.argv = argv, .envp = env, .new_session = true, .kill_group = true};
		spec.stall = (struct stall_rule){.bytes = 3000, .window_ms = rows[i].stalls ? 700 : 20000};
		g_autoptr(GBytes) out = NULL, err = NULL;
		g_autoptr(GError) error = NULL;
		int status;
		bool ok = process_run(&spec, NULL, 0, 1 << 20, NULL, &status, &out, &err, &error);
		g_test_message("%s", rows[i].script);
		g_assert_cmpint(ok, ==, !rows[i].stalls);
		if (rows[i].stalls)
			g_assert_cmpstr(error->message, ==, "no data for 0.7 s: i/o timeout");
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	signal(SIGPIPE, SIG_IGN);
	g_test_add_func("/process/run", test_run);
	g_test_add_func("/process/inherits-nothing", test_inherits_nothing);
	g_test_add_func("/process/limits", test_limits);
	g_test_add_func("/process/timeout", test_timeout);
	g_test_add_func("/process/fd-map", test_fd_map);
	g_test_add_func("/process/missing", test_missing);
	g_test_add_func("/process/cancel-and-free", test_cancel_and_free);
	g_test_add_func("/process/output-ceiling", test_output_ceiling);
	g_test_add_func("/process/background-child", test_background_child_does_not_hang);
	g_test_add_func("/process/stall", test_stall);
	return g_test_run();
}
