/* SPDX-License-Identifier: Apache-2.0 */
#include "os/process.h"
#include "base/scope.h"
#include <fcntl.h>
#include <poll.h>
#include <string.h>

enum { PIPE_CHUNK = 64 * 1024 };

/* One end of a pipe that we read into a bounded buffer. */
struct output {
	int fd;            /* owned */
	GByteArray *bytes; /* owned */
};
struct run {
	process *child;
	int input_fd; /* owned */
	const uint8_t *input;
	size_t n_input, max_bytes;
	struct output out, err;
	struct stall_watch watch;
	int64_t timeout_ms; /* 0: no limit */
	int64_t end_us;
};

static void run_clear(struct run *r)
{
	g_clear_pointer(&r->child, process_free);
	fd_close(&r->input_fd);
	fd_close(&r->out.fd);
	fd_close(&r->err.fd);
	g_clear_pointer(&r->out.bytes, g_byte_array_unref);
	g_clear_pointer(&r->err.bytes, g_byte_array_unref);
}

/* Our end is non-blocking, the child's is not. */
static bool make_pipe(int *ret_ours, int *ret_theirs, bool we_read, GError **error)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_set_errno(error, errno, "pipe");
	*ret_ours = we_read ? ends[0] : ends[1];
	*ret_theirs = we_read ? ends[1] : ends[0];
	fcntl(*ret_ours, F_SETFL, O_NONBLOCK);
	return true;
}

static bool run_start(struct run *r, const struct process_spec *spec, GError **error)
{
	scoped_fd in = -1, out = -1, err = -1;
	if (!make_pipe(&r->out.fd, &out, true, error) || !make_pipe(&r->err.fd, &err, true, error))
		return false;
	if (r->n_input > 0 && !make_pipe(&r->input_fd, &in, false, error))
		return false;
	size_t n = MAX(spec->n_fds, 3);
	g_autofree int *fds = g_new(int, n);
	for (size_t i = 3; i < n; i++)
		fds[i] = spec->fds[i];
	fds[0] = in;
	fds[1] = out;
	fds[2] = err;
	struct process_spec with_pipes = *spec;
	with_pipes.fds = fds;
	with_pipes.n_fds = n;
	r->child = process_start(&with_pipes, error);
	if (!r->child)
		return false;
	stall_watch_init(&r->watch, &spec->stall, process_pid(r->child));
	return true;
}

static bool is_retry(int errnum)
{
	return errnum == EAGAIN || errnum == EINTR;
}

/* Reads the available bytes; closes the fd at end of file. */
static bool output_read(struct output *o, size_t max_bytes, GError **error)
{
	uint8_t chunk[PIPE_CHUNK];
	for (;;) {
		ssize_t n = read(o->fd, chunk, sizeof chunk);
		if (n < 0 && is_retry(errno))
			return true;
		if (n < 0)
			return error_set_errno(error, errno, "read output");
		if (n == 0) {
			fd_close(&o->fd);
			return true;
		}
		if (o->bytes->len + (size_t)n > max_bytes)
			return error_set(error, ERROR_RESOURCE_EXHAUSTED, "output of more than %zu bytes", max_bytes);
		g_byte_array_append(o->bytes, chunk, (guint)n);
	}
}

/* A child that does not read its input is not an error. (All our programs ignore SIGPIPE.) */
static void input_write(struct run *r)
{
	ssize_t n = write(r->input_fd, r->input, r->n_input);
	if (n < 0 && is_retry(errno))
		return;
	if (n > 0) {
		r->input += n;
		r->n_input -= (size_t)n;
	}
	if (n < 0 || r->n_input == 0)
		fd_close(&r->input_fd);
}

/* Returns the time until the stall rule or the timeout must be checked. */
static int64_t wait_ms(const struct run *r)
{
	int64_t stall_ms = stall_watch_interval_ms(&r->watch);
	if (r->timeout_ms == 0)
		return stall_ms;
	int64_t left_ms = MAX(0, (r->end_us - g_get_monotonic_time() + 999) / 1000);
	return stall_ms < 0 ? left_ms : MIN(stall_ms, left_ms);
}

static bool check_time(struct run *r, GError **error)
{
	if (stall_watch_check(&r->watch))
		return error_set(error, ERROR_DEADLINE_EXCEEDED, "no data for %g s: i/o timeout",
				 (double)r->watch.rule.window_ms / 1000);
	if (r->timeout_ms > 0 && g_get_monotonic_time() >= r->end_us)
		return error_set(error, ERROR_DEADLINE_EXCEEDED, "did not exit within %g s",
				 (double)r->timeout_ms / 1000);
	return true;
}

/*
 * Waits until the child has exited, then reads the rest of the pipes, without waiting for other processes that keep
 * them open.
 */
static bool run_loop(struct run *r, cancel *c, GError **error)
{
	bool ended = false;
	while (!ended) {
		struct pollfd fds[] = {{.fd = process_exit_fd(r->child), .events = POLLIN},
				       {.fd = r->out.fd, .events = POLLIN},
				       {.fd = r->err.fd, .events = POLLIN},
				       {.fd = r->input_fd, .events = POLLOUT}};
		if (cancel_poll(c, fds, G_N_ELEMENTS(fds), wait_ms(r), error) < 0)
			return false;
		if (fds[0].revents == 0 && !check_time(r, error))
			return false;
		ended = fds[0].revents != 0;
		if (r->out.fd >= 0 && !output_read(&r->out, r->max_bytes, error))
			return false;
		if (r->err.fd >= 0 && !output_read(&r->err, r->max_bytes, error))
			return false;
		if (r->input_fd >= 0 && fds[3].revents)
			input_write(r);
	}
	return true;
}

bool process_run(const struct process_spec *spec, const void *input, size_t n_input, size_t max_bytes, cancel *c,
		 int *ret_status, GBytes **ret_stdout, GBytes **ret_stderr, GError **error)
{
	__attribute__((cleanup(run_clear))) struct run r = {.input_fd = -1,
							    .input = input,
							    .n_input = n_input,
							    .max_bytes = max_bytes,
							    .timeout_ms = spec->timeout_ms,
							    .end_us = g_get_monotonic_time() + spec->timeout_ms * 1000,
							    .out = {-1, g_byte_array_new()},
							    .err = {-1, g_byte_array_new()}};
	if (!run_start(&r, spec, error) || !run_loop(&r, c, error) || !process_wait(r.child, c, ret_status, error))
		return false;
	if (ret_stdout)
		*ret_stdout = g_byte_array_free_to_bytes(g_steal_pointer(&r.out.bytes));
	if (ret_stderr)
		*ret_stderr = g_byte_array_free_to_bytes(g_steal_pointer(&r.err.bytes));
	return true;
}
