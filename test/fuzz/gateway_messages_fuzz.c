/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The messages about containers of LLBBridge: a client makes calls on a gateway whose container "c" exists, and the
 * processes do what their first argument says. Checked: the order of the answers of each process, and that everything has
 * ended when the gateway is closed.
 *
 * Input: calls, each as its kind (a byte), the length of its message (two bytes, the low one first), and the message:
 *	0 a message on the ExecProcess stream        4 ReadDirContainer
 *	1 NewContainer                               5 StatFileContainer
 *	2 ReleaseContainer                           6 ends the messages of the stream and opens another one
 *	3 ReadFileContainer                          7 aborts the stream and opens another one
 */
#include "base/scope.h"
#include "lib/exec_stream.h"
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SENTINEL "the end of the input"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

/* ---- the processes */

/* At most PIPE_BUF bytes, which need no wait after the poll; false: the process is killed, or no one reads. */
static bool write_part(int fd, const char *bytes, size_t n, cancel *stop)
{
	struct pollfd ready = {.fd = fd, .events = POLLOUT};
	return fd < 0 || (cancel_poll(stop, &ready, 1, -1, NULL) == 1 && write(fd, bytes, n) == (ssize_t)n);
}

static void copy_input(struct fake_step *s, cancel *stop)
{
	char bytes[PIPE_BUF];
	int in = s->fds[0], out = s->fds[1];
	struct pollfd ready = {.fd = in, .events = POLLIN};
	ssize_t n;
	while (in >= 0 && cancel_poll(stop, &ready, 1, -1, NULL) == 1 && (n = read(in, bytes, sizeof bytes)) > 0 &&
	       write_part(out, bytes, (size_t)n, stop))
		continue;
}

static void write_much(struct fake_step *s, cancel *stop)
{
	static char text[PIPE_BUF];
	for (int i = 0; i < 200; i++)
		if (!write_part(s->fds[1 + i % 2], text, sizeof text, stop))
			return;
}

static void behave(struct fake_step *s, cancel *stop)
{
	const char *args = strstr(s->call, "args=[") + strlen("args=[");
	if (g_str_has_prefix(args, "fail")) {
		fake_step_fail(s, ERROR_NOT_FOUND, "no such program");
		return;
	}
	fake_step_start(s);
	if (g_str_has_prefix(args, "hang"))
		cancel_poll(stop, NULL, 0, -1, NULL);
	else if (g_str_has_prefix(args, "cat"))
		copy_input(s, stop);
	else if (g_str_has_prefix(args, "out"))
		write_much(s, stop);
	if (cancel_is_set(stop))
		return; /* ends as a killed process */
	if (g_str_has_prefix(args, "oom"))
		fake_step_oom(s);
	else
		fake_step_exit(s, g_str_has_prefix(args, "exit") ? 3 : 0);
}

/* ---- the answers */

struct answers { /* to one process */
	bool started, exited, done, eof[3];
};

/* Each process: Started; then File, at most one end of each stream; Exit; Done. */
static void check_answer(GHashTable *all, const Gateway__ExecMessage *m)
{
	struct answers *a = g_hash_table_lookup(all, m->processid);
	if (!a)
		g_hash_table_insert(all, g_strdup(m->processid), a = g_new0(struct answers, 1));
	g_assert_false(a->done);
	if (m->input_case == GATEWAY__EXEC_MESSAGE__INPUT_STARTED) {
		g_assert_false(a->started);
		a->started = true;
	} else if (m->input_case == GATEWAY__EXEC_MESSAGE__INPUT_FILE) {
		g_assert_true(a->started && !a->exited);
		g_assert_true(m->file->fd == 1 || m->file->fd == 2);
		g_assert_false(a->eof[m->file->fd]);
		g_assert_true(m->file->eof == (m->file->data.len == 0));
		a->eof[m->file->fd] = m->file->eof;
	} else if (m->input_case == GATEWAY__EXEC_MESSAGE__INPUT_EXIT) {
		g_assert_true(a->started && !a->exited);
		g_assert_true((m->exit->code == 0) == (m->exit->error == NULL));
		a->exited = true;
	} else {
		g_assert_cmpint(m->input_case, ==, GATEWAY__EXEC_MESSAGE__INPUT_DONE);
		g_assert_true(a->exited);
		a->done = true;
	}
}

/* Takes the answers of a stream until it ends, or the process with this id is done. */
static void take_answers(struct exec_client *c, const char *last)
{
	g_autoptr(GHashTable) all = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	for (bool found = false; !found;) {
		Gateway__ExecMessage *m = rpc_call_recv_message(c->call, &gateway__exec_message__descriptor, NULL);
		if (!m)
			return;
		check_answer(all, m);
		found = m->input_case == GATEWAY__EXEC_MESSAGE__INPUT_DONE && g_strcmp0(m->processid, last) == 0;
		guard_free(m);
	}
}

/* ---- the calls */

/* A call whose request is any bytes. */
static void call_raw(struct gateway_rig *r, const char *method, const uint8_t *bytes, size_t n)
{
	g_autofree char *path = g_strconcat(GATEWAY_SERVICE, method, NULL);
	g_autoptr(rpc_call) call = rpc_call_start(r->pair.conn, path, NULL, NULL, 0, NULL);
	g_assert_nonnull(call);
	if (rpc_call_send(call, bytes, n, NULL))
		rpc_call_close_send(call, NULL);
	g_autoptr(GBytes) reply = rpc_call_recv(call, NULL);
}

static void end_stream(struct gateway_rig *r, struct exec_client *c, bool abort)
{
	if (abort) {
		rpc_call_abort(c->call);
	} else {
		/* Processes that wait for something other than input would go on. */
		exec_release_container(r, "c", NULL);
		rpc_call_close_send(c->call, NULL);
	}
	take_answers(c, NULL);
	exec_client_close(c);
	exec_client_open(c, r);
}

static void make_call(struct gateway_rig *r, struct exec_client *c, uint8_t kind, const uint8_t *bytes, size_t n)
{
	static const char *const methods[] = {
		NULL, "NewContainer", "ReleaseContainer", "ReadFileContainer", "ReadDirContainer", "StatFileContainer"};
	if (kind == 0)
		rpc_call_send(c->call, bytes, n, NULL); /* fails when the daemon has ended the stream */
	else if (kind < G_N_ELEMENTS(methods))
		call_raw(r, methods[kind], bytes, n);
	else
		end_stream(r, c, kind == 7);
}

static void make_calls(struct gateway_rig *r, const uint8_t *bytes, size_t n)
{
	struct exec_client c;
	Gateway__ExecMessage m = GATEWAY__EXEC_MESSAGE__INIT;
	Gateway__InitMessage init = GATEWAY__INIT_MESSAGE__INIT;
	exec_client_open(&c, r);
	while (n >= 3 && bytes[0] < 8) {
		size_t length = MIN((size_t)(bytes[1] | bytes[2] << 8), n - 3);
		make_call(r, &c, bytes[0], bytes + 3, length);
		bytes += 3 + length;
		n -= 3 + length;
	}
	/* The messages of a stream are handled in order: when this process is done, or refused, all were. */
	m.processid = (char *)SENTINEL;
	m.input_case = GATEWAY__EXEC_MESSAGE__INPUT_INIT;
	m.init = &init;
	init.containerid = (char *)"c";
	rpc_call_send_message(c.call, &m, NULL);
	take_answers(&c, SENTINEL);
	exec_client_close(&c);
}

static void start(void)
{
	fake_steps_init();
	fake_steps.behave = behave;
	scoped_fd fd = openat(fake_steps.tree_fd, "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	g_assert_cmpint(write(fd, "contents", 8), ==, 8);
	g_assert_cmpint(mkdirat(fake_steps.tree_fd, "dir", 0755), ==, 0);
	g_assert_cmpint(symlinkat("/dir", fake_steps.tree_fd, "link"), ==, 0);
	atexit(fake_steps_clear);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static bool started;
	struct gateway_rig r = {0};
	if (!started)
		start();
	started = true;
	gateway_rig_setup(&r, NULL);
	exec_rig_containers(&r);
	exec_new_container(&r, "c");
	make_calls(&r, bytes, n);
	gateway_rig_teardown(&r, NULL);
	g_assert_cmpint(fake_steps.open_mounts, ==, 0);
	fake_steps_reset(); /* all have ended */
	return 0;
}
