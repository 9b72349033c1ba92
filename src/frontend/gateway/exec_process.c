/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/gateway/exec_process.h"
#include "api/guard.h"
#include "base/limits.h"
#include "base/scope.h"
#include "base/thread.h"
#include "status.pb-c.h"
#include <poll.h>
#include <sys/eventfd.h>

#define CHUNK_BYTES (32 * 1024)
#define DRAIN_US (1 * G_USEC_PER_SEC) /* for output of the process that others keep open */

enum { STREAM_IN, STREAM_OUT, STREAM_ERR, STREAMS };

struct exec_process {
	struct exec_sender *sender; /* borrowed */
	char *id;
	container *container;       /* counted */
	container_process *process; /* counted */
	GThread *thread;
	bool wanted[STREAMS], terminal;
	int wake_fd; /* owned; eventfd: the thread looks at the members below */
	GMutex mu;   /* guards the rest */
	GCond changed;
	int fds[STREAMS]; /* owned; -1: none. Closed by the thread only */
	bool started, ended, done, canceled;
	GByteArray *input;
	bool input_eof;    /* from the client */
	bool input_closed; /* the process does not read any more */
	int code;
	GError *failure; /* owned; NULL: code 0 */
};

/* ---- messages to the client; false: the call has ended */

static bool send_message(exec_process *p, Gateway__ExecMessage *m)
{
	struct exec_sender *s = p->sender;
	m->processid = p->id;
	g_mutex_lock(&p->mu);
	bool canceled = p->canceled;
	g_mutex_unlock(&p->mu);
	if (canceled)
		return false;
	g_mutex_lock(&s->mu);
	bool ok = rpc_call_send_message(s->call, m, NULL);
	g_mutex_unlock(&s->mu);
	return ok;
}

static bool send_file(exec_process *p, int stream, const void *bytes, size_t n)
{
	Gateway__ExecMessage m = GATEWAY__EXEC_MESSAGE__INIT;
	Gateway__FdMessage file = GATEWAY__FD_MESSAGE__INIT;
	file.fd = (uint32_t)stream;
	file.eof = n == 0;
	file.data = (ProtobufCBinaryData){n, (uint8_t *)(uintptr_t)bytes};
	m.input_case = GATEWAY__EXEC_MESSAGE__INPUT_FILE;
	m.file = &file;
	return send_message(p, &m);
}

static bool send_started(exec_process *p)
{
	Gateway__ExecMessage m = GATEWAY__EXEC_MESSAGE__INIT;
	Gateway__StartedMessage started = GATEWAY__STARTED_MESSAGE__INIT;
	m.input_case = GATEWAY__EXEC_MESSAGE__INPUT_STARTED;
	m.started = &started;
	return send_message(p, &m);
}

static bool send_exit(exec_process *p)
{
	Gateway__ExecMessage m = GATEWAY__EXEC_MESSAGE__INIT;
	Gateway__ExitMessage exit = GATEWAY__EXIT_MESSAGE__INIT;
	Google__Status *status = NULL;
	exit.code = (uint32_t)p->code;
	if (p->failure) {
		error_hide_code(&p->failure);
		g_autoptr(GBytes) packed = rpc_status_pack(p->failure);
		status = guard_unpack(&google__status__descriptor, g_bytes_get_data(packed, NULL),
				      g_bytes_get_size(packed), NULL);
	}
	exit.error = status;
	m.input_case = GATEWAY__EXEC_MESSAGE__INPUT_EXIT;
	m.exit = &exit;
	bool ok = send_message(p, &m);
	guard_free(status);
	return ok;
}

static bool send_done(exec_process *p)
{
	Gateway__ExecMessage m = GATEWAY__EXEC_MESSAGE__INIT;
	Gateway__DoneMessage done = GATEWAY__DONE_MESSAGE__INIT;
	m.input_case = GATEWAY__EXEC_MESSAGE__INPUT_DONE;
	m.done = &done;
	return send_message(p, &m);
}

/* ---- called on the thread of the container's process */

static void wake(exec_process *p)
{
	const uint64_t one = 1;
	while (write(p->wake_fd, &one, sizeof one) < 0 && errno == EINTR)
		continue;
}

static void take_streams(void *data, const int *fds)
{
	exec_process *p = data;
	g_mutex_lock(&p->mu);
	memcpy(p->fds, fds, sizeof p->fds);
	p->started = true;
	g_cond_broadcast(&p->changed);
	g_mutex_unlock(&p->mu);
}

static void take_end(void *data, int code, const GError *failure)
{
	exec_process *p = data;
	g_mutex_lock(&p->mu);
	p->code = code;
	p->failure = failure ? g_error_copy(failure) : NULL;
	p->ended = true;
	p->input_closed = true;
	g_cond_broadcast(&p->changed);
	wake(p);
	g_mutex_unlock(&p->mu);
}

/* ---- the thread that copies */

/* Returns after a read; false: the stream has ended. */
static bool forward(exec_process *p, int stream, uint8_t *buffer, bool *alive)
{
	ssize_t n = read(p->fds[stream], buffer, CHUNK_BYTES);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n <= 0)
		return false; /* a terminal without users returns EIO */
	if (p->wanted[stream] && *alive)
		*alive = send_file(p, stream, buffer, (size_t)n);
	return true;
}

static void end_stream(exec_process *p, int stream, bool *alive)
{
	fd_close(&p->fds[stream]);
	if (p->wanted[stream] && *alive)
		*alive = send_file(p, stream, NULL, 0);
	p->wanted[stream] = false;
}

static void close_input_locked(exec_process *p)
{
	fd_close(&p->fds[STREAM_IN]);
	p->input_closed = true;
	g_byte_array_set_size(p->input, 0);
	g_cond_broadcast(&p->changed);
}

/* A terminal has no end of input: its other side stays open. */
static void write_input(exec_process *p)
{
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&p->mu);
	if (p->fds[STREAM_IN] < 0)
		return;
	if (p->input->len > 0) {
		ssize_t n = write(p->fds[STREAM_IN], p->input->data, MIN(p->input->len, CHUNK_BYTES));
		if (n > 0)
			g_byte_array_remove_range(p->input, 0, (guint)n);
		else if (n < 0 && errno != EAGAIN && errno != EINTR)
			close_input_locked(p);
		g_cond_broadcast(&p->changed);
	}
	if (p->input->len == 0 && p->input_eof && !p->terminal)
		close_input_locked(p);
}

static bool wants_input(exec_process *p)
{
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&p->mu);
	return p->fds[STREAM_IN] >= 0 && p->input->len > 0;
}

static bool has_ended(exec_process *p)
{
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&p->mu);
	return p->ended;
}

/* Copies what is ready. timeout_ms -1: waits for something. Returns false after the time. */
static bool copy_ready(exec_process *p, uint8_t *buffer, int timeout_ms, bool *alive)
{
	uint64_t count;
	struct pollfd fds[] = {
		{.fd = wants_input(p) ? p->fds[STREAM_IN] : -1, .events = POLLOUT},
		{.fd = p->fds[STREAM_OUT], .events = POLLIN},
		{.fd = p->fds[STREAM_ERR], .events = POLLIN},
		{.fd = timeout_ms < 0 ? p->wake_fd : -1, .events = POLLIN},
	};
	int ready = poll(fds, G_N_ELEMENTS(fds), timeout_ms);
	if (ready == 0)
		return false;
	if (fds[STREAMS].revents != 0 && read(p->wake_fd, &count, sizeof count) < 0 && errno != EAGAIN)
		return true;
	for (int stream = STREAM_OUT; stream <= STREAM_ERR; stream++)
		if (fds[stream].revents != 0 && !forward(p, stream, buffer, alive))
			end_stream(p, stream, alive);
	write_input(p);
	return true;
}

/* Processes that a further process has left in the container may keep its streams open: they are not waited for. */
static void drain(exec_process *p, uint8_t *buffer, bool *alive)
{
	int64_t until_us = g_get_monotonic_time() + DRAIN_US, left_us;
	while ((p->fds[STREAM_OUT] >= 0 || p->fds[STREAM_ERR] >= 0) &&
	       (left_us = until_us - g_get_monotonic_time()) > 0 && copy_ready(p, buffer, (int)(left_us / 1000), alive))
		continue;
}

static void wait_for_start(exec_process *p)
{
	g_mutex_lock(&p->mu);
	while (!p->started && !p->ended)
		g_cond_wait(&p->changed, &p->mu);
	g_mutex_unlock(&p->mu);
}

static gpointer copy_thread(gpointer data)
{
	exec_process *p = data;
	g_autofree uint8_t *buffer = g_malloc(CHUNK_BYTES);
	wait_for_start(p);
	bool alive = !container_process_is_first(p->process) || send_started(p);
	while (!has_ended(p)) {
		copy_ready(p, buffer, -1, &alive);
		if (!alive)
			container_process_cancel(p->process); /* its client has gone */
	}
	drain(p, buffer, &alive);
	for (int stream = STREAM_OUT; stream <= STREAM_ERR; stream++)
		end_stream(p, stream, &alive);
	if (alive && send_exit(p))
		send_done(p);
	g_mutex_lock(&p->mu);
	close_input_locked(p);
	p->done = true;
	g_mutex_unlock(&p->mu);
	return NULL;
}

/* ---- the owner's side */

static bool start(exec_process *p, const Gateway__InitMessage *init, cancel *stop, GError **error)
{
	static const Pb__Meta none = PB__META__INIT;
	const struct container_command command = {
		.meta = init->meta ? init->meta : &none,
		.secrets = init->secretenv,
		.n_secrets = init->n_secretenv,
		.security = init->security,
	};
	struct container_io io = {.terminal = init->tty, .started = take_streams, .ended = take_end, .data = p};
	memcpy(io.wanted, p->wanted, sizeof io.wanted);
	p->process = container_start(p->container, &command, &io, stop, error);
	if (!p->process)
		return false;
	/*
	 * A further process counts as started before it runs, as with upstream: a client that connects the output of one
	 * process with the input of another reads nothing from the first until it knows that the second has started.
	 */
	if (!container_process_is_first(p->process))
		send_started(p);
	p->thread = thread_start("exec", copy_thread, p, error);
	return p->thread != NULL;
}

exec_process *exec_process_start(struct exec_sender *sender, const char *id, container *c,
				 const Gateway__InitMessage *init, cancel *stop, GError **error)
{
	g_autoptr(exec_process) p = g_new0(exec_process, 1);
	p->sender = sender;
	p->id = g_strdup(id);
	p->container = container_ref(c);
	p->terminal = init->tty;
	p->input = g_byte_array_new();
	p->fds[0] = p->fds[1] = p->fds[2] = -1;
	g_mutex_init(&p->mu);
	g_cond_init(&p->changed);
	for (size_t i = 0; i < init->n_fds; i++)
		if (init->fds[i] < STREAMS)
			p->wanted[init->fds[i]] = true;
	p->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (p->wake_fd < 0)
		return error_null_errno(error, errno, "eventfd");
	return start(p, init, stop, error) ? g_steal_pointer(&p) : NULL;
}

bool exec_process_write(exec_process *p, uint32_t fd, const void *bytes, size_t n, bool eof, cancel *stop,
			GError **error)
{
	g_auto(cancel_watch) watch = {0};
	cancel_watch_start(&watch, stop, &p->mu, &p->changed);
	g_mutex_lock(&p->mu);
	bool available = fd == STREAM_IN && p->wanted[STREAM_IN] && (!p->input_eof || p->ended);
	while (available && !p->input_closed && p->input->len >= LIMIT_EXEC_INPUT_BYTES && !cancel_is_set(stop))
		g_cond_wait(&p->changed, &p->mu);
	if (available && !p->input_closed && n > 0)
		g_byte_array_append(p->input, bytes, (guint)n);
	p->input_eof = p->input_eof || (available && eof);
	wake(p);
	g_mutex_unlock(&p->mu);
	return available || error_set(error, ERROR_OUT_OF_RANGE, "fd %u unavailable to write", fd);
}

bool exec_process_signal(exec_process *p, const char *name, cancel *stop, GError **error)
{
	int number = exec_signal_number(name);
	if (number == 0)
		return error_set(error, ERROR_INVALID_ARGUMENT, "Unknown signal %s", name);
	return container_process_signal(p->process, number, stop, error);
}

bool exec_process_resize(exec_process *p, struct step_size size, cancel *stop, GError **error)
{
	return container_process_resize(p->process, size, stop, error);
}

void exec_process_close_input(exec_process *p)
{
	g_mutex_lock(&p->mu);
	p->input_eof = true;
	wake(p);
	g_mutex_unlock(&p->mu);
}

void exec_process_cancel(exec_process *p)
{
	g_mutex_lock(&p->mu);
	p->canceled = true;
	g_mutex_unlock(&p->mu);
	container_process_cancel(p->process);
}

bool exec_process_is_done(exec_process *p)
{
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&p->mu);
	return p->done;
}

/* The container's process uses p until its end. */
static void wait_for_end(exec_process *p)
{
	g_mutex_lock(&p->mu);
	while (p->process && !p->ended)
		g_cond_wait(&p->changed, &p->mu);
	g_mutex_unlock(&p->mu);
}

void exec_process_free(exec_process *p)
{
	if (p->process && !p->thread)
		container_process_cancel(p->process);
	if (p->thread)
		g_thread_join(p->thread);
	wait_for_end(p);
	for (int i = 0; i < STREAMS; i++)
		fd_close(&p->fds[i]);
	fd_close(&p->wake_fd);
	container_process_unref(p->process);
	container_unref(p->container);
	g_byte_array_unref(p->input);
	g_clear_error(&p->failure);
	g_mutex_clear(&p->mu);
	g_cond_clear(&p->changed);
	g_free(p->id);
	g_free(p);
}
