/* SPDX-License-Identifier: Apache-2.0 */
/* Processes that are connected to their caller: streams, terminals, signals, further processes in a step. */
#include "step_fixture.h"
#include "base/thread.h"
#include "executor/step_process.h"
#include "lib/outcome.h"
#include <poll.h>
#include <signal.h>

/* A step or a further process in one, run on its own thread, with its caller's ends. */
struct talk {
	struct fixture *f;
	struct step step;
	struct step_command command;
	struct talk *first; /* the step of a further process; NULL: this is a step */
	struct step_io io;
	cancel *cancel;
	GThread *thread;
	GMutex mu;
	GCond changed;
	step_process *process; /* owned; NULL: not started */
	int fds[3];
	bool ended;
	/* after the end */
	bool ran;
	struct step_exit exit;
	GError *error;
};

static void started(void *data, step_process *process, const int *fds)
{
	struct talk *t = data;
	g_mutex_lock(&t->mu);
	g_assert_null(t->process);
	t->process = step_process_ref(process);
	memcpy(t->fds, fds, sizeof t->fds);
	g_cond_broadcast(&t->changed);
	g_mutex_unlock(&t->mu);
}

static void collect_log(void *data, int stream, const void *bytes, size_t n)
{
	struct talk *t = data;
	g_string_append_len(stream == 1 ? t->f->out : t->f->err, bytes, (gssize)n);
}

static gpointer run_talk(gpointer data)
{
	struct talk *t = data;
	struct work work = {.cancel = t->cancel};
	if (t->first != NULL)
		t->ran = executor_exec(t->f->e, t->first->process, &t->command, &work, &t->exit, &t->error);
	else
		t->ran = executor_run(t->f->e, &t->step, &work, &t->exit, &t->error);
	g_mutex_lock(&t->mu);
	t->ended = true;
	g_cond_broadcast(&t->changed);
	g_mutex_unlock(&t->mu);
	return NULL;
}

static void talk_init(struct talk *t, struct fixture *f, struct talk *first)
{
	*t = (struct talk){.f = f, .first = first, .fds = {-1, -1, -1}};
	g_mutex_init(&t->mu);
	g_cond_init(&t->changed);
	t->cancel = cancel_new(NULL);
	t->io = (struct step_io){
		.streams = {STEP_STREAM_PIPE, STEP_STREAM_PIPE, STEP_STREAM_PIPE}, .started = started, .data = t};
}

/* Starts args and waits until it runs or has ended. */
static void talk_start(struct talk *t, const char *const *args)
{
	g_autoptr(GError) error = NULL;
	if (t->first == NULL) {
		t->step.root_fd = mount_clone(t->f->image_fd, false, &error);
		g_assert_no_error(error);
		t->step.args = args;
		t->step.env = t->step.env != NULL ? t->step.env : default_env;
		t->step.cwd = "/";
		t->step.io = &t->io;
		t->step.output = collect_log;
		t->step.output_data = t;
	} else {
		t->command.args = args;
		t->command.io = &t->io;
		t->command.output = collect_log;
		t->command.output_data = t;
	}
	t->thread = thread_start("talk", run_talk, t, &error);
	g_assert_no_error(error);
	g_mutex_lock(&t->mu);
	while (t->process == NULL && !t->ended)
		g_cond_wait(&t->changed, &t->mu);
	g_mutex_unlock(&t->mu);
}

#define TALK_SH(t, line) talk_start(t, (const char *const[]){"/bin/sh", "-c", line, NULL})

static void talk_write(struct talk *t, const char *text)
{
	g_assert_cmpint(write(t->fds[0], text, strlen(text)), ==, (ssize_t)strlen(text));
}

/* Reads a stream until it has the text, or until its end (NULL). Returns what it read. */
static char *talk_read(struct talk *t, int stream, const char *until)
{
	g_autoptr(GString) all = g_string_new(NULL);
	while (until == NULL || strstr(all->str, until) == NULL) {
		char buffer[4096];
		struct pollfd p = {.fd = t->fds[stream], .events = POLLIN};
		if (poll(&p, 1, 60000) != 1)
			g_error("no \"%s\" after \"%s\"", until ? until : "end", all->str);
		ssize_t n = read(t->fds[stream], buffer, sizeof buffer);
		if (n < 0)
			g_assert_cmpint(errno, ==, EIO);
		if (n <= 0)
			break;
		g_string_append_len(all, buffer, n);
	}
	return g_strdup(all->str);
}

static void talk_join(struct talk *t)
{
	g_thread_join(g_steal_pointer(&t->thread));
}

static int talk_end(struct talk *t)
{
	if (t->thread != NULL)
		talk_join(t);
	g_assert_no_error(t->error);
	g_assert_true(t->ran);
	return t->exit.code;
}

static void talk_clear(struct talk *t)
{
	for (int i = 0; i < 3; i++)
		fd_close(&t->fds[i]);
	if (t->first == NULL)
		fd_close(&t->step.root_fd);
	step_process_unref(t->process);
	cancel_unref(t->cancel);
	g_clear_error(&t->error);
	g_mutex_clear(&t->mu);
	g_cond_clear(&t->changed);
}

static void expect_text(struct talk *t, int stream, const char *text)
{
	g_autofree char *got = talk_read(t, stream, NULL);
	g_assert_cmpstr(got, ==, text);
}

static void expect_part(struct talk *t, int stream, const char *part)
{
	g_autofree char *got = talk_read(t, stream, part);
	if (strstr(got, part) == NULL)
		g_error("no \"%s\" in \"%s\"", part, got);
}

/* ---- streams */

static void test_pipes(struct fixture *f, gconstpointer data)
{
	SKIP_IF_UNAVAILABLE();
	struct talk t;
	talk_init(&t, f, NULL);
	TALK_SH(&t, "busybox cat; echo err >&2; exit 5");
	talk_write(&t, "some input\n");
	expect_part(&t, 1, "some input\n");
	talk_write(&t, "more");
	fd_close(&t.fds[0]);
	expect_text(&t, 1, "more");
	expect_text(&t, 2, "err\n");
	g_assert_cmpint(talk_end(&t), ==, 5);
	/* The handle has no effect any more. */
	assert_succeeds(step_process_signal(t.process, SIGKILL, &failure));
	talk_clear(&t);
}

static void test_mixed_streams(struct fixture *f, gconstpointer data)
{
	SKIP_IF_UNAVAILABLE();
	struct talk t;
	talk_init(&t, f, NULL);
	t.io.streams[0] = STEP_STREAM_NULL;
	t.io.streams[2] = STEP_STREAM_LOG;
	TALK_SH(&t, "busybox cat; echo out; echo err >&2");
	g_assert_cmpint(t.fds[0], ==, -1);
	g_assert_cmpint(t.fds[2], ==, -1);
	expect_text(&t, 1, "out\n");
	g_assert_cmpint(talk_end(&t), ==, 0);
	g_assert_cmpstr(f->err->str, ==, "err\n");
	talk_clear(&t);
}

static void test_no_program(struct fixture *f, gconstpointer data)
{
	SKIP_IF_UNAVAILABLE();
	struct talk t;
	for (int terminal = 0; terminal < 2; terminal++) {
		talk_init(&t, f, NULL);
		t.io.terminal = terminal == 1;
		talk_start(&t, (const char *const[]){"/no/such/program", NULL});
		g_assert_nonnull(t.process);
		g_autofree char *why = talk_read(&t, terminal == 1 ? 1 : 2, NULL);
		const struct variant *v = data;
		g_assert_true(strstr(why, "/no/such/program") || (v->is_crun && terminal == 1));
		g_assert_cmpint(talk_end(&t), ==, 1);
		talk_clear(&t);
	}
}

/* ---- terminals: the processes read before they exit, because crun may drop what they have written last */

/* Without pidfd_getfd, the size of a terminal of crun cannot be changed. */
#define SKIP_CRUN_IF_OLD(data)                                                                                         \
	do {                                                                                                           \
		if (((const struct variant *)(data))->is_crun && mount_is_old()) {                                     \
			g_test_skip("needs pidfd_getfd");                                                              \
			return;                                                                                        \
		}                                                                                                      \
	} while (0)

static void test_terminal(struct fixture *f, gconstpointer data)
{
	SKIP_IF_UNAVAILABLE();
	SKIP_CRUN_IF_OLD(data);
	struct talk t;
	talk_init(&t, f, NULL);
	t.io.terminal = true;
	t.io.size = (struct step_size){24, 80};
	TALK_SH(&t, "busybox stty size; trap 'busybox stty size; read x; exit 4' WINCH; busybox tty; while :; do "
		    "busybox sleep "
		    "0.02; done");
	expect_part(&t, 1, "24 80\r\n/dev/pts/0\r\n");
	assert_succeeds(step_process_resize(t.process, (struct step_size){50, 132}, &failure));
	expect_part(&t, 1, "50 132\r\n");
	talk_write(&t, "end\n");
	g_assert_cmpint(talk_end(&t), ==, 4);
	talk_clear(&t);
}

/* What passes through the outer terminal of a runtime is not changed from the start. */
static void test_terminal_raw(struct fixture *f, gconstpointer data)
{
	SKIP_IF_UNAVAILABLE();
	g_autoptr(GError) error = NULL;
	struct step_ends ends;
	char bytes[8] = {0};
	g_assert_true(step_ends_open_terminal(&ends, (struct step_size){24, 80}, &error));
	g_assert_cmpint(write(ends.ours[0], "i\n", 2), ==, 2);
	g_assert_cmpint(write(ends.theirs[1], "o\r\n", 3), ==, 3);
	/* No echo of the input. */
	g_assert_cmpint(read(ends.ours[1], bytes, sizeof bytes), ==, 3);
	g_assert_cmpstr(bytes, ==, "o\r\n");
	step_ends_clear(&ends);
}

static void test_terminal_interrupt(struct fixture *f, gconstpointer data)
{
	SKIP_IF_UNAVAILABLE();
	struct talk t;
	talk_init(&t, f, NULL);
	t.io.terminal = true;
	TALK_SH(&t, "trap 'echo caught; read x; exit 9' INT; echo ready; while :; do busybox sleep 0.02; done");
	expect_part(&t, 1, "ready\r\n");
	talk_write(&t, "\003");
	expect_part(&t, 1, "caught\r\n");
	talk_write(&t, "end\n");
	g_assert_cmpint(talk_end(&t), ==, 9);
	talk_clear(&t);
}

/* ---- signals and cancellation */

static void test_signal(struct fixture *f, gconstpointer data)
{
	SKIP_IF_UNAVAILABLE();
	struct talk t;
	g_autoptr(GError) error = NULL;
	talk_init(&t, f, NULL);
	TALK_SH(&t, "trap 'echo usr1' USR1; trap 'exit 7' TERM; echo ready; while :; do busybox sleep 0.02; done");
	expect_part(&t, 1, "ready\n");
	assert_succeeds(step_process_signal(t.process, SIGUSR1, &failure));
	expect_part(&t, 1, "usr1\n");
	g_assert_false(step_process_signal(t.process, 1000, &error));
	g_assert_cmpint(error_get_code(error), ==, ERROR_INVALID_ARGUMENT);
	assert_succeeds(step_process_signal(t.process, SIGTERM, &failure));
	g_assert_cmpint(talk_end(&t), ==, 7);
	talk_clear(&t);
	talk_init(&t, f, NULL);
	TALK_SH(&t, "echo ready; exec busybox sleep 1000");
	expect_part(&t, 1, "ready\n");
	assert_succeeds(step_process_signal(t.process, SIGKILL, &failure));
	g_assert_cmpint(talk_end(&t), ==, 128 + SIGKILL);
	talk_clear(&t);
}

static void test_cancel(struct fixture *f, gconstpointer data)
{
	SKIP_IF_UNAVAILABLE();
	struct talk t;
	talk_init(&t, f, NULL);
	TALK_SH(&t, "echo ready; exec busybox sleep 1000");
	expect_part(&t, 1, "ready\n");
	cancel_set(t.cancel, ERROR_CANCELED, NULL);
	talk_join(&t);
	g_assert_false(t.ran);
	g_assert_true(error_is(t.error, ERROR_CANCELED));
	talk_clear(&t);
}

/* ---- further processes */

#define KEEP_RUNNING "echo ready; while :; do busybox sleep 0.02; done"

static void start_step(struct talk *t, struct fixture *f)
{
	talk_init(t, f, NULL);
	TALK_SH(t, "trap 'exit 0' TERM; " KEEP_RUNNING);
	expect_part(t, 1, "ready\n");
}

static void end_step(struct talk *t)
{
	assert_succeeds(step_process_signal(t->process, SIGTERM, &failure));
	g_assert_cmpint(talk_end(t), ==, 0);
	talk_clear(t);
}

static void test_exec(struct fixture *f, gconstpointer data)
{
	SKIP_IF_UNAVAILABLE();
	struct talk first, t;
	static const char *const env[] = {"PATH=/bin", "X=env of the exec", NULL};
	start_step(&first, f);
	talk_init(&t, f, &first);
	t.command.env = env;
	t.command.cwd = "/tmp";
	t.command.user = "ann";
	TALK_SH(&t,
		"echo $X; pwd; busybox id; [ $$ != 1 ] && busybox grep -c sleep /proc/1/comm /proc/1/cmdline; busybox "
		"cat; exit 6");
	talk_write(&t, "input\n");
	fd_close(&t.fds[0]);
	g_autofree char *out = talk_read(&t, 1, NULL);
	g_assert_cmpstr(out, ==,
			"env of the exec\n/tmp\nuid=1000(ann) gid=1000(ann) groups=50(staff),1000(ann)\n"
			"/proc/1/comm:0\n/proc/1/cmdline:1\ninput\n");
	g_assert_cmpint(talk_end(&t), ==, 6);
	talk_clear(&t);
	/* The defaults are those of the step. */
	talk_init(&t, f, &first);
	TALK_SH(&t, "echo $PATH; pwd; busybox id -u; busybox hostname; busybox grep -E '^(CapEff|Seccomp):' "
		    "/proc/self/status");
	expect_text(&t, 1, "/bin\n/\n0\nbuildkitsandbox\nCapEff:\t00000000a80425fb\nSeccomp:\t2\n");
	g_assert_cmpint(talk_end(&t), ==, 0);
	talk_clear(&t);
	end_step(&first);
}

static void test_exec_no_program(struct fixture *f, gconstpointer data)
{
	SKIP_IF_UNAVAILABLE();
	struct talk first, t;
	start_step(&first, f);
	talk_init(&t, f, &first);
	talk_start(&t, (const char *const[]){"/no/such/program", NULL});
	g_assert_nonnull(t.process);
	expect_part(&t, 2, "/no/such/program");
	g_assert_cmpint(talk_end(&t), !=, 0);
	talk_clear(&t);
	end_step(&first);
}

/* The step goes on when a further process cannot be started. */
static void test_exec_refused(struct fixture *f, gconstpointer data)
{
	SKIP_IF_UNAVAILABLE();
	static const char *const none[] = {NULL}, *const pwd[] = {"/bin/busybox", "pwd", NULL};
	static const struct {
		const char *const *args;
		const char *cwd, *text;
	} cases[] = {
		{none, "/", "invalid exec op with no args"},
		{pwd, "tmp", "working directory \"tmp\" is not an absolute path"},
	};
	struct talk first, t;
	start_step(&first, f);
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		talk_init(&t, f, &first);
		t.command.cwd = cases[i].cwd;
		talk_start(&t, cases[i].args);
		g_thread_join(g_steal_pointer(&t.thread));
		g_assert_false(t.ran);
		g_assert_cmpstr(t.error->message, ==, cases[i].text);
		g_assert_cmpint(error_get_code(t.error), ==, ERROR_INVALID_ARGUMENT);
		talk_clear(&t);
	}
	talk_init(&t, f, &first);
	talk_start(&t, pwd);
	expect_text(&t, 1, "/\n");
	g_assert_cmpint(talk_end(&t), ==, 0);
	talk_clear(&t);
	end_step(&first);
}

static void test_exec_terminal(struct fixture *f, gconstpointer data)
{
	SKIP_IF_UNAVAILABLE();
	SKIP_CRUN_IF_OLD(data);
	struct talk first, t;
	start_step(&first, f);
	talk_init(&t, f, &first);
	t.io.terminal = true;
	t.io.size = (struct step_size){10, 20};
	/* A runtime passes the new size on, while the process runs; crun sets the first one then, too. */
	TALK_SH(&t,
		"while [ \"$(busybox stty size 2> /dev/null)\" != '10 20' ]; do :; done; busybox stty size; read x; "
		"echo got $x; while [ \"$(busybox stty size)\" = '10 20' ]; do :; done; "
		"busybox stty size; read x; exit 3");
	expect_part(&t, 1, "10 20\r\n");
	assert_succeeds(step_process_resize(t.process, (struct step_size){30, 40}, &failure));
	talk_write(&t, "line\n");
	expect_part(&t, 1, "got line\r\n30 40\r\n");
	talk_write(&t, "end\n");
	g_assert_cmpint(talk_end(&t), ==, 3);
	talk_clear(&t);
	end_step(&first);
}

static void test_exec_signal_and_cancel(struct fixture *f, gconstpointer data)
{
	SKIP_IF_UNAVAILABLE();
	struct talk first, t;
	start_step(&first, f);
	talk_init(&t, f, &first);
	TALK_SH(&t, "trap 'exit 8' HUP; " KEEP_RUNNING);
	expect_part(&t, 1, "ready\n");
	assert_succeeds(step_process_signal(t.process, SIGHUP, &failure));
	g_assert_cmpint(talk_end(&t), ==, 8);
	talk_clear(&t);
	talk_init(&t, f, &first);
	TALK_SH(&t, KEEP_RUNNING);
	expect_part(&t, 1, "ready\n");
	cancel_set(t.cancel, ERROR_CANCELED, NULL);
	talk_join(&t);
	g_assert_false(t.ran);
	g_assert_true(error_is(t.error, ERROR_CANCELED));
	talk_clear(&t);
	/* The step still runs. */
	talk_init(&t, f, &first);
	TALK_SH(&t, "busybox pgrep -f sleep | busybox wc -l");
	g_assert_cmpint(talk_end(&t), ==, 0);
	talk_clear(&t);
	end_step(&first);
}

/* When the first process exits, the others are killed, and none can be started. */
static void test_exec_end(struct fixture *f, gconstpointer data)
{
	SKIP_IF_UNAVAILABLE();
	struct talk first, several[3], late;
	start_step(&first, f);
	for (size_t i = 0; i < G_N_ELEMENTS(several); i++) {
		talk_init(&several[i], f, &first);
		TALK_SH(&several[i], "trap '' TERM; " KEEP_RUNNING);
		expect_part(&several[i], 1, "ready\n");
	}
	assert_succeeds(step_process_signal(first.process, SIGTERM, &failure));
	g_assert_cmpint(talk_end(&first), ==, 0);
	for (size_t i = 0; i < G_N_ELEMENTS(several); i++) {
		g_assert_cmpint(talk_end(&several[i]), ==, 128 + SIGKILL);
		talk_clear(&several[i]);
	}
	talk_init(&late, f, &first);
	TALK_SH(&late, "true");
	talk_join(&late);
	g_assert_false(late.ran);
	g_assert_true(error_is(late.error, ERROR_FAILED_PRECONDITION));
	g_assert_cmpstr(late.error->message, ==, "the step has exited");
	talk_clear(&late);
	talk_clear(&first);
}

static const struct step_test process_tests[] = {
	{"pipes", false, test_pipes},
	{"mixed-streams", false, test_mixed_streams},
	{"no-program", false, test_no_program},
	{"terminal", false, test_terminal},
	{"terminal-raw", false, test_terminal_raw},
	{"terminal-interrupt", false, test_terminal_interrupt},
	{"signal", false, test_signal},
	{"cancel", false, test_cancel},
	{"exec", false, test_exec},
	{"exec-refused", false, test_exec_refused},
	{"exec-no-program", false, test_exec_no_program},
	{"exec-terminal", false, test_exec_terminal},
	{"exec-signal-and-cancel", false, test_exec_signal_and_cancel},
	{"exec-end", false, test_exec_end},
};

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	return run_step_tests("step_process", process_tests, G_N_ELEMENTS(process_tests));
}
