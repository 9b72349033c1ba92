/* SPDX-License-Identifier: Apache-2.0 */
/* ExecProcess over a connection: the order of messages, input, several processes, late and wrong messages, ends. */
#include "base/limits.h"
#include "frontend/gateway/exec_process.h"
#include "lib/exec_stream.h"
#include <signal.h>

static void setup(struct gateway_rig *f, gconstpointer data)
{
	fake_steps_init();
	gateway_rig_setup(f, NULL);
	exec_rig_containers(f);
	exec_new_container(f, "c");
}

static void teardown(struct gateway_rig *f, gconstpointer data)
{
	gateway_rig_teardown(f, NULL);
	fake_steps_clear();
}

static void expect_all(struct exec_client *c, const char *const *texts)
{
	for (size_t i = 0; texts[i]; i++)
		exec_client_expect(c, texts[i]);
}
#define EXPECT(c, ...) expect_all(c, (const char *const[]){__VA_ARGS__, NULL})

/* Opens a stream with a running first process "p". */
static void open_with_first(struct exec_client *c, struct gateway_rig *f)
{
	exec_client_open(c, f);
	exec_client_init(c, "p", "c", "first");
	fake_step_start(fake_steps_wait(0));
	exec_client_expect(c, "p started");
}

/* Ends what open_with_first started, and the stream. */
static void end_first(struct exec_client *c)
{
	fake_step_exit(fake_steps_wait(0), 0);
	EXPECT(c, "p 1 eof", "p 2 eof", "p exit 0", "p done");
	rpc_call_close_send(c->call, NULL);
	exec_client_expect_end(c, 0, NULL);
	exec_client_close(c);
}

/* ---- one process */

static void test_order(struct gateway_rig *f, gconstpointer data)
{
	struct exec_client c;
	open_with_first(&c, f);
	struct fake_step *s = fake_steps_wait(0);
	exec_client_write(&c, "p", 0, "in", false);
	fake_step_expect_input(s, "in", false);
	exec_client_write(&c, "p", 0, "put", true);
	fake_step_expect_input(s, "put", true);
	fake_step_write(s, 1, "out");
	exec_client_expect(&c, "p 1 out");
	fake_step_write(s, 2, "err");
	exec_client_expect(&c, "p 2 err");
	fake_step_close(s, 2); /* before the end of the process */
	exec_client_expect(&c, "p 2 eof");
	fake_step_write(s, 1, "last");
	fake_step_exit(s, 3);
	EXPECT(&c, "p 1 last", "p 1 eof", "p exit 3 Unknown exit code: 3 {\"Code\":3}", "p done");
	rpc_call_close_send(c.call, NULL);
	exec_client_expect_end(&c, 0, NULL);
	exec_client_close(&c);
}

/* A process that cannot be started has all messages, as with upstream; its code is hidden, as that of a build. */
static void test_not_started(struct gateway_rig *f, gconstpointer data)
{
	struct exec_client c;
	exec_client_open(&c, f);
	exec_client_init(&c, "p", "c", "first");
	fake_step_fail(fake_steps_wait(0), ERROR_NOT_FOUND, "no such program");
	EXPECT(&c, "p started", "p 1 eof", "p 2 eof", "p exit 255 Unknown no such program", "p done");
	/* There is no container to start another one in. */
	exec_client_init(&c, "q", "c", "second");
	EXPECT(&c, "q started", "q 1 eof", "q 2 eof", "q exit 255 Unknown container c not found", "q done");
	rpc_call_close_send(c.call, NULL);
	exec_client_expect_end(&c, 0, NULL);
	exec_client_close(&c);
}

/* Only the streams that were requested have messages; unknown ones are no request. */
static void test_streams(struct gateway_rig *f, gconstpointer data)
{
	struct exec_client c;
	uint32_t fds[] = {1, 3, 0xffffffff};
	Gateway__ExecMessage m = GATEWAY__EXEC_MESSAGE__INIT;
	Gateway__InitMessage init = GATEWAY__INIT_MESSAGE__INIT;
	m.processid = (char *)"p";
	m.input_case = GATEWAY__EXEC_MESSAGE__INPUT_INIT;
	m.init = &init;
	init.containerid = (char *)"c";
	init.fds = fds;
	init.n_fds = 3;
	exec_client_open(&c, f);
	exec_client_send(&c, &m); /* without Meta */
	struct fake_step *s = fake_steps_wait(0);
	g_assert_nonnull(strstr(s->call, "args=[]"));
	g_assert_nonnull(strstr(s->call, "streams=null,pipe,null"));
	fake_step_start(s);
	fake_step_exit(s, 0);
	EXPECT(&c, "p started", "p 1 eof", "p exit 0", "p done");
	exec_client_write(&c, "p", 0, "x", false);
	exec_client_expect_end(&c, ERROR_OUT_OF_RANGE, "fd 0 unavailable to write");
	exec_client_close(&c);
}

/* A terminal has one stream, and no end of input. */
static void test_terminal(struct gateway_rig *f, gconstpointer data)
{
	struct exec_client c;
	uint32_t fds[] = {0, 1};
	Gateway__ExecMessage m = GATEWAY__EXEC_MESSAGE__INIT;
	Gateway__InitMessage init = GATEWAY__INIT_MESSAGE__INIT;
	m.processid = (char *)"p";
	m.input_case = GATEWAY__EXEC_MESSAGE__INPUT_INIT;
	m.init = &init;
	init.containerid = (char *)"c";
	init.fds = fds;
	init.n_fds = 2;
	init.tty = true;
	exec_client_open(&c, f);
	exec_client_send(&c, &m);
	struct fake_step *s = fake_steps_wait(0);
	fake_step_start(s);
	exec_client_expect(&c, "p started");
	exec_client_resize(&c, "p", 24, 80);
	fake_step_expect(s, "resize 24x80\n");
	exec_client_write(&c, "p", 0, "line\n", true);
	fake_step_expect_input(s, "line\n", false);
	fake_step_write(s, 1, "out\n");
	exec_client_expect(&c, "p 1 out\n"); /* the terminal of fake_steps is raw */
	fake_step_exit(s, 0);
	EXPECT(&c, "p 1 eof", "p exit 0", "p done");
	rpc_call_close_send(c.call, NULL);
	exec_client_expect_end(&c, 0, NULL);
	exec_client_close(&c);
}

/* ---- several processes */

/* A further process counts as started before it runs; each has its own messages. */
static void test_several(struct gateway_rig *f, gconstpointer data)
{
	struct exec_client c;
	exec_client_open(&c, f);
	exec_client_init(&c, "p", "c", "first");
	struct fake_step *first = fake_steps_wait(0);
	exec_client_init(&c, "q", "c", "second");
	exec_client_expect(&c, "q started");
	g_assert_cmpuint(fake_steps_count(), ==, 1);
	fake_step_start(first);
	exec_client_expect(&c, "p started");
	struct fake_step *second = fake_steps_wait(1);
	g_assert_true(second->further);
	fake_step_start(second);
	exec_client_write(&c, "q", 0, "for q", true);
	exec_client_write(&c, "p", 0, "for p", true);
	fake_step_expect_input(first, "for p", true);
	fake_step_expect_input(second, "for q", true);
	exec_client_signal(&c, "q", "USR1");
	exec_client_signal(&c, "p", "TERM");
	fake_step_expect(second, "signal 10\n");
	fake_step_expect(first, "signal 15\n");
	g_assert_null(strstr(second->seen->str, "signal 15"));
	fake_step_write(second, 1, "of q");
	exec_client_expect(&c, "q 1 of q");
	fake_step_write(first, 1, "of p");
	exec_client_expect(&c, "p 1 of p");
	fake_step_exit(second, 4);
	EXPECT(&c, "q 1 eof", "q 2 eof", "q exit 4 Unknown exit code: 4 {\"Code\":4}", "q done");
	end_first(&c);
}

/* Two streams on one container: a further process may be of another stream. */
static void test_two_streams(struct gateway_rig *f, gconstpointer data)
{
	struct exec_client c, d;
	open_with_first(&c, f);
	exec_client_open(&d, f);
	exec_client_init(&d, "p", "c", "second"); /* ids are those of the stream */
	exec_client_expect(&d, "p started");
	fake_step_start(fake_steps_wait(1));
	exec_client_signal(&d, "p", "HUP");
	fake_step_expect(fake_steps_wait(1), "signal 1\n");
	exec_client_write(&d, "x", 0, "", false);
	exec_client_expect_end(&d, ERROR_NOT_FOUND, "IO for process \"x\" not found");
	fake_step_wait_end(fake_steps_wait(1)); /* its process ends with it, without messages */
	exec_client_close(&d);
	end_first(&c);
}

/* ---- late, wrong and ignored messages */

/* The client cannot know of the end of a process: what it still sends is dropped, but checked. */
static void test_late(struct gateway_rig *f, gconstpointer data)
{
	struct exec_client c;
	open_with_first(&c, f);
	for (int round = 0; round < 2; round++) {
		const char *id = round ? "r" : "q";
		g_autofree char *started = g_strconcat(id, " started", NULL);
		exec_client_init(&c, id, "c", "second");
		exec_client_expect(&c, started);
		fake_step_exit(fake_steps_wait((guint)round + 1), 0);
		while (true) {
			g_autofree char *text = exec_client_next(&c, NULL);
			if (g_str_has_suffix(text, " done"))
				break;
		}
		/* In the second round the first one's state is freed: its id stays known. */
		exec_client_write(&c, "q", 0, "late", false);
		exec_client_write(&c, "q", 0, "", true);
		exec_client_write(&c, "q", 0, "later", false);
		exec_client_signal(&c, "q", "KILL");
		exec_client_resize(&c, "q", 1, 2);
	}
	exec_client_write(&c, "p", 0, "on", true);
	fake_step_expect_input(fake_steps_wait(0), "on", true);
	end_first(&c);
}

static void test_ignored(struct gateway_rig *f, gconstpointer data)
{
	struct exec_client c;
	Gateway__ExecMessage m = GATEWAY__EXEC_MESSAGE__INIT;
	Gateway__StartedMessage started = GATEWAY__STARTED_MESSAGE__INIT;
	Gateway__ExitMessage exit = GATEWAY__EXIT_MESSAGE__INIT;
	Gateway__DoneMessage done = GATEWAY__DONE_MESSAGE__INIT;
	open_with_first(&c, f);
	m.processid = (char *)"unknown";
	exec_client_send(&c, &m);
	m.input_case = GATEWAY__EXEC_MESSAGE__INPUT_STARTED;
	m.started = &started;
	exec_client_send(&c, &m);
	m.input_case = GATEWAY__EXEC_MESSAGE__INPUT_EXIT;
	m.exit = &exit;
	exec_client_send(&c, &m);
	m.input_case = GATEWAY__EXEC_MESSAGE__INPUT_DONE;
	m.done = &done;
	exec_client_send(&c, &m);
	exec_client_write(&c, "p", 0, "on", false);
	fake_step_expect_input(fake_steps_wait(0), "on", false);
	end_first(&c);
}

enum wrong { WRONG_FILE, WRONG_EOF, WRONG_SIGNAL, WRONG_RESIZE, WRONG_INIT, WRONG_EMPTY };

/* Each ends the stream and its processes. */
static void test_wrong(struct gateway_rig *f, gconstpointer data)
{
	static const struct {
		enum wrong kind;
		const char *id, *argument;
		uint32_t fd;
		enum error_code code;
		const char *text;
	} cases[] = {
		{WRONG_EMPTY, "", "", 0, ERROR_INVALID_ARGUMENT, "ProcessID required"},
		{WRONG_FILE, "long", "x", 0, ERROR_INVALID_ARGUMENT, "ProcessID is longer than 1024 bytes"},
		{WRONG_FILE, "q", "x", 0, ERROR_NOT_FOUND, "IO for process \"q\" not found"},
		{WRONG_RESIZE, "q", "", 0, ERROR_NOT_FOUND, "IO for process \"q\" not found"},
		{WRONG_SIGNAL, "q", "KILL", 0, ERROR_NOT_FOUND, "IO for process \"q\" not found"},
		{WRONG_INIT, "p", "c", 0, ERROR_ALREADY_EXISTS, "Process p already exists"},
		{WRONG_INIT, "q", "d", 0, ERROR_NOT_FOUND, "container \"d\" previously released or not created"},
		{WRONG_FILE, "p", "x", 1, ERROR_OUT_OF_RANGE, "fd 1 unavailable to write"},
		{WRONG_FILE, "p", "x", 4294967295, ERROR_OUT_OF_RANGE, "fd 4294967295 unavailable to write"},
		{WRONG_EOF, "p", "x", 0, ERROR_OUT_OF_RANGE, "fd 0 unavailable to write"},
		{WRONG_SIGNAL, "p", "SIGKILL", 0, ERROR_INVALID_ARGUMENT, "Unknown signal SIGKILL"},
		{WRONG_SIGNAL, "p", "", 0, ERROR_INVALID_ARGUMENT, "Unknown signal "},
	};
	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct exec_client c;
		Gateway__ExecMessage empty = GATEWAY__EXEC_MESSAGE__INIT;
		g_autofree char *name =
			g_str_equal(cases[i].id, "long") ? g_strnfill(1025, 'x') : g_strdup(cases[i].id);
		g_autofree char *of = g_strdup_printf("c%u", i);
		exec_new_container(f, of);
		exec_client_open(&c, f);
		exec_client_init(&c, "p", of, "first");
		fake_step_start(fake_steps_wait(i));
		exec_client_expect(&c, "p started");
		if (cases[i].kind == WRONG_FILE || cases[i].kind == WRONG_EOF)
			exec_client_write(&c, name, cases[i].fd, cases[i].argument, cases[i].kind == WRONG_EOF);
		if (cases[i].kind == WRONG_EOF) {
			fake_step_expect_input(fake_steps_wait(i), cases[i].argument, true);
			exec_client_write(&c, name, cases[i].fd, cases[i].argument, false);
		}
		if (cases[i].kind == WRONG_SIGNAL)
			exec_client_signal(&c, name, cases[i].argument);
		if (cases[i].kind == WRONG_RESIZE)
			exec_client_resize(&c, name, 1, 1);
		if (cases[i].kind == WRONG_INIT)
			exec_client_init(&c, name, cases[i].argument, "x");
		if (cases[i].kind == WRONG_EMPTY)
			exec_client_send(&c, &empty);
		exec_client_expect_end(&c, cases[i].code, cases[i].text);
		fake_step_wait_end(fake_steps_wait(i));
		exec_client_close(&c);
	}
}

/* The name of a signal is checked, also for a process that has ended. */
static void test_late_signal(struct gateway_rig *f, gconstpointer data)
{
	struct exec_client c;
	open_with_first(&c, f);
	for (int i = 1; i < 3; i++) { /* starting the second one frees the first one */
		exec_client_init(&c, i == 1 ? "q" : "r", "c", "x");
		fake_step_exit(fake_steps_wait((guint)i), 0);
		for (int k = 0; k < 5; k++)
			g_free(exec_client_next(&c, NULL));
	}
	exec_client_signal(&c, "q", "RTMAX-15");
	exec_client_expect_end(&c, ERROR_INVALID_ARGUMENT, "Unknown signal RTMAX-15");
	exec_client_close(&c);
}

static void test_signal_names(void)
{
	static const struct {
		const char *name;
		int number;
	} cases[] = {
		{"HUP", SIGHUP},
		{"KILL", SIGKILL},
		{"TERM", SIGTERM},
		{"STOP", SIGSTOP},
		{"WINCH", SIGWINCH},
		{"CLD", SIGCHLD},
		{"IOT", SIGABRT},
		{"POLL", SIGIO},
		{"STKFLT", SIGSTKFLT},
		{"RTMIN", 34},
		{"RTMIN+1", 35},
		{"RTMIN+15", 49},
		{"RTMAX", 64},
		{"RTMAX-1", 63},
		{"RTMAX-14", 50},
		{"RTMIN+16", 0},
		{"RTMIN+0", 0},
		{"RTMIN+01", 0},
		{"RTMAX-15", 0},
		{"RTMAX-0", 0},
		{"RTMAX+1", 0},
		{"RTMIN-1", 0},
		{"RTMIN+", 0},
		{"RTMIN+ 1", 0},
		{"RTMIN+-1", 0},
		{"SIGKILL", 0},
		{"kill", 0},
		{"9", 0},
		{"", 0},
		{"EMT", 0},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_test_message("%s", cases[i].name);
		g_assert_cmpint(exec_signal_number(cases[i].name), ==, cases[i].number);
	}
}

/* ---- limits */

/* A stream has a limit of processes in its whole life, so that their ids need bounded memory. */
static void exit_at_once(struct fake_step *s, cancel *stop)
{
	if (!s->further)
		fake_step_start(s);
	else
		fake_step_exit(s, 0);
}

static void test_most_processes(struct gateway_rig *f, gconstpointer data)
{
	struct exec_client c;
	char id[16];
	fake_steps.behave = exit_at_once;
	exec_client_open(&c, f);
	for (int i = 0; i < LIMIT_EXEC_PROCESSES; i++) {
		g_autofree char *last = g_strdup_printf("p%d %s", i, i > 0 ? "done" : "started");
		g_snprintf(id, sizeof id, "p%d", i);
		exec_client_init(&c, id, "c", "x");
		for (bool found = false; !found;) {
			g_autofree char *text = exec_client_next(&c, NULL);
			found = g_strcmp0(text, last) == 0;
		}
	}
	exec_client_init(&c, "more", "c", "x");
	exec_client_expect_end(&c, ERROR_RESOURCE_EXHAUSTED, "a stream has at most 10000 processes");
	exec_client_close(&c);
}

static void test_most_running(struct gateway_rig *f, gconstpointer data)
{
	struct exec_client c;
	open_with_first(&c, f);
	for (int i = 1; i <= LIMIT_CONTAINER_PROCESSES; i++) {
		g_autofree char *id = g_strdup_printf("p%d", i);
		g_autofree char *started = g_strconcat(id, " started", NULL);
		exec_client_init(&c, id, "c", "x");
		if (i < LIMIT_CONTAINER_PROCESSES)
			exec_client_expect(&c, started);
	}
	exec_client_skip_to_end(&c, ERROR_RESOURCE_EXHAUSTED, "container c has 64 processes, the maximum");
	exec_client_close(&c);
}

/* A process that does not read makes its client wait; the client's end ends the wait. */
static gpointer write_much(gpointer data)
{
	g_autofree char *text = g_strnfill(64 * 1024, 'y');
	struct exec_client *c = data;
	Gateway__ExecMessage m = GATEWAY__EXEC_MESSAGE__INIT;
	Gateway__FdMessage file = GATEWAY__FD_MESSAGE__INIT;
	file.data = (ProtobufCBinaryData){64 * 1024, (uint8_t *)text};
	m.processid = (char *)"p";
	m.input_case = GATEWAY__EXEC_MESSAGE__INPUT_FILE;
	m.file = &file;
	size_t sent = 0;
	while (sent < 1000 && rpc_call_send_message(c->call, &m, NULL)) {
		sent++;
		file.eof = sent == 999; /* with bytes that wait for the process */
	}
	return GSIZE_TO_POINTER(sent);
}

static void test_unread_input(struct gateway_rig *f, gconstpointer data)
{
	struct exec_client c;
	open_with_first(&c, f);
	GThread *t = g_thread_new("write", write_much, &c);
	/* The first bytes arrive; the process does not read the others. */
	g_autofree char *some = g_strnfill(1000, 'y');
	fake_step_expect_input(fake_steps_wait(0), some, false);
	g_autoptr(GError) error = NULL;
	g_assert_false(
		exec_release_container(f, "c", &error)); /* it waits neither for the process nor for the client */
	g_assert_cmpstr(error->message, ==, "exit code: 137: context canceled");
	EXPECT(&c, "p 1 eof", "p 2 eof", "p exit 137 Canceled exit code: 137: context canceled", "p done");
	/* What the client sends to the ended process is dropped: it is not kept waiting. */
	g_assert_cmpuint(GPOINTER_TO_SIZE(g_thread_join(t)), ==, 1000);
	exec_client_close(&c);
}

static void test_input_limit(struct gateway_rig *f, gconstpointer data)
{
	struct exec_client c;
	open_with_first(&c, f);
	GThread *t = g_thread_new("write", write_much, &c);
	/* The process reads all: nothing is lost and the order is kept. */
	struct fake_step *s = fake_steps_wait(0);
	g_autofree char *expected = g_strnfill(1 << 20, 'y');
	for (int i = 0; i < 1000 / 16; i++)
		fake_step_expect_input(s, expected, false);
	g_autofree char *rest = g_strnfill((1000 % 16) << 16, 'y');
	fake_step_expect_input(s, rest, true);
	g_assert_cmpuint(GPOINTER_TO_SIZE(g_thread_join(t)), ==, 1000);
	end_first(&c);
}

/* Output that is not read yet when the process exits is not lost. */
static void test_last_output(struct gateway_rig *f, gconstpointer data)
{
	g_autofree char *text = g_strnfill(60000, '#');
	struct exec_client c;
	open_with_first(&c, f);
	for (guint i = 1; i < 20; i++) {
		g_autofree char *id = g_strdup_printf("q%u", i), *done = g_strconcat(id, " done", NULL);
		size_t n = 0;
		exec_client_init(&c, id, "c", "x");
		struct fake_step *s = fake_steps_wait(i);
		fake_step_start(s);
		fake_step_write(s, 1, text);
		fake_step_exit(s, 0);
		for (bool found = false; !found;) {
			g_autofree char *got = exec_client_next(&c, NULL);
			found = g_strcmp0(got, done) == 0;
			for (const char *o = strchr(got, '#'); o && *o == '#'; o++)
				n++;
		}
		g_assert_cmpuint(n, ==, 60000);
	}
	end_first(&c);
}

/* ---- ends */

/* The end of the client's messages is the end of input; the processes go on. */
static void test_close_send(struct gateway_rig *f, gconstpointer data)
{
	struct exec_client c;
	open_with_first(&c, f);
	exec_client_init(&c, "q", "c", "second");
	exec_client_expect(&c, "q started");
	fake_step_start(fake_steps_wait(1));
	exec_client_write(&c, "q", 0, "last", false);
	rpc_call_close_send(c.call, NULL);
	fake_step_expect_input(fake_steps_wait(0), "", true);
	fake_step_expect_input(fake_steps_wait(1), "last", true);
	fake_step_write(fake_steps_wait(1), 1, "answer");
	exec_client_expect(&c, "q 1 answer");
	fake_step_exit(fake_steps_wait(1), 0);
	EXPECT(&c, "q 1 eof", "q 2 eof", "q exit 0", "q done");
	end_first(&c);
}

/* The client ends the call, its connection, or the build ends: the processes are killed. */
static void test_reset(struct gateway_rig *f, gconstpointer data)
{
	struct exec_client c;
	open_with_first(&c, f);
	exec_client_init(&c, "q", "c", "second");
	fake_steps_wait(1);
	rpc_call_abort(c.call);
	fake_step_wait_end(fake_steps_wait(0));
	fake_step_wait_end(fake_steps_wait(1));
	exec_client_close(&c);
}

static void test_disconnect(struct gateway_rig *f, gconstpointer data)
{
	struct exec_client c;
	open_with_first(&c, f);
	rpc_conn_close(f->pair.conn);
	fake_step_wait_end(fake_steps_wait(0));
	exec_client_expect_end(&c, ERROR_CANCELED, "the client connection is closing");
	exec_client_close(&c);
}

static void test_build_ends(struct gateway_rig *f, gconstpointer data)
{
	struct exec_client c;
	open_with_first(&c, f);
	cancel_set(f->build, ERROR_CANCELED, NULL);
	EXPECT(&c, "p 1 eof", "p 2 eof", "p exit 137 Canceled exit code: 137: context canceled", "p done");
	rpc_call_close_send(c.call, NULL);
	exec_client_expect_end(&c, 0, NULL);
	exec_client_close(&c);
}

static void test_gateway_closes(struct gateway_rig *f, gconstpointer data)
{
	struct exec_client c;
	open_with_first(&c, f);
	gateway_close(f->g);
	fake_step_wait_end(fake_steps_wait(0));
	g_assert_cmpint(fake_steps.open_mounts, ==, 0);
	exec_client_close(&c);
	exec_client_open(&c, f);
	exec_client_expect_end(&c, ERROR_UNAVAILABLE, "frontend grpc server closed unexpectedly");
	exec_client_close(&c);
}

/* A release kills the processes; the stream has their ends and goes on. */
static void test_release(struct gateway_rig *f, gconstpointer data)
{
	g_autoptr(GError) error = NULL;
	struct exec_client c;
	open_with_first(&c, f);
	g_assert_false(exec_release_container(f, "c", &error));
	g_assert_cmpstr(error->message, ==, "exit code: 137: context canceled");
	g_assert_cmpint(error_get_code(error), ==, ERROR_CANCELED);
	EXPECT(&c, "p 1 eof", "p 2 eof", "p exit 137 Canceled exit code: 137: context canceled", "p done");
	exec_new_container(f, "c");
	exec_client_init(&c, "q", "c", "second");
	fake_step_start(fake_steps_wait(1));
	exec_client_expect(&c, "q started");
	g_assert_false(fake_steps_wait(1)->further);
	fake_step_exit(fake_steps_wait(1), 0);
	EXPECT(&c, "q 1 eof", "q 2 eof", "q exit 0", "q done");
	exec_client_init(&c, "r", "d", "x");
	exec_client_expect_end(&c, ERROR_NOT_FOUND, "container \"d\" previously released or not created");
	exec_client_close(&c);
}

/* A signal that cannot be sent ends the stream. */
static void test_signal_fails(struct gateway_rig *f, gconstpointer data)
{
	struct exec_client c;
	open_with_first(&c, f);
	fake_steps_wait(0)->refusal = "send signal 15: operation not permitted";
	exec_client_signal(&c, "p", "TERM");
	exec_client_expect_end(&c, ERROR_UNKNOWN, "send signal 15: operation not permitted");
	fake_step_wait_end(fake_steps_wait(0));
	exec_client_close(&c);
}

/* Wrong bytes instead of a message. */
static void test_garbage(struct gateway_rig *f, gconstpointer data)
{
	static const char *const garbage[] = {"\x0a\xff", "\x12\x05\x0a\x7f", "\x0a\x02\xc3\x28"};
	for (guint i = 0; i < G_N_ELEMENTS(garbage); i++) {
		g_autoptr(GError) error = NULL;
		struct exec_client c;
		exec_client_open(&c, f);
		rpc_call_send(c.call, garbage[i], strlen(garbage[i]), NULL);
		g_assert_null(exec_client_next(&c, &error));
		g_assert_nonnull(error);
		exec_client_close(&c);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/exec/signal-names", test_signal_names);
#define ADD(name, fn) g_test_add("/exec/" name, struct gateway_rig, NULL, setup, fn, teardown)
	ADD("order", test_order);
	ADD("not-started", test_not_started);
	ADD("streams", test_streams);
	ADD("terminal", test_terminal);
	ADD("several", test_several);
	ADD("two-streams", test_two_streams);
	ADD("late", test_late);
	ADD("late-signal", test_late_signal);
	ADD("ignored", test_ignored);
	ADD("wrong", test_wrong);
	ADD("garbage", test_garbage);
	ADD("most-processes", test_most_processes);
	ADD("most-running", test_most_running);
	ADD("unread-input", test_unread_input);
	ADD("input-limit", test_input_limit);
	ADD("last-output", test_last_output);
	ADD("close-send", test_close_send);
	ADD("reset", test_reset);
	ADD("disconnect", test_disconnect);
	ADD("build-ends", test_build_ends);
	ADD("gateway-closes", test_gateway_closes);
	ADD("release", test_release);
	ADD("signal-fails", test_signal_fails);
	return g_test_run();
}
