/* SPDX-License-Identifier: Apache-2.0 */
#include "executor/runtime.h"
#include "base/limits.h"
#include "base/scope.h"
#include "os/process.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#define KILL_INTERVAL_US (50 * 1000)
#define KILL_PATIENCE_US (7 * G_USEC_PER_SEC)
#define DRAIN_US (1 * G_USEC_PER_SEC)
#define CHUNK_BYTES (64 * 1024)

enum { SLOT_OUT, SLOT_ERR, SLOT_EXIT, SLOT_CANCEL, SLOTS };

struct run {
	const struct runtime_call *call;
	process *process;
	struct pollfd fds[SLOTS]; /* fd -1: done with */
	uint8_t *buffer;
	int64_t killing_since_us; /* 0: not canceled */
	int kills;
};

extern char **environ;

static void read_output(struct run *r, int slot)
{
	ssize_t n = read(r->fds[slot].fd, r->buffer, CHUNK_BYTES);
	if (n > 0)
		r->call->output(r->call->output_data, slot == SLOT_OUT ? 1 : 2, r->buffer, (size_t)n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		r->fds[slot].fd = -1;
}

static void read_ready(struct run *r)
{
	for (int slot = SLOT_OUT; slot <= SLOT_ERR; slot++) {
		if (r->fds[slot].fd >= 0 && r->fds[slot].revents != 0)
			read_output(r, slot);
	}
}

/* For processes that no cgroup of ours holds (systemd's naming): the runtime knows where they are. */
static void kill_by_runtime(const struct run *r)
{
	const char *argv[] = {r->call->binary, "--root", r->call->state_root, "--log", "/dev/null",
			      "kill", r->call->id, "KILL", NULL};
	struct process_spec spec = {.argv = argv, .envp = (const char *const *)environ};
	int status;
	process_run(&spec, NULL, 0, KIB(4), NULL, &status, NULL, NULL, NULL);
}

static void kill_step(struct run *r)
{
	bool any = cgroup_kill(r->call->cgroups, r->call->cgroup_path);
	r->kills++;
	if (!any && r->kills % 10 == 2)
		kill_by_runtime(r);
	if (g_get_monotonic_time() - r->killing_since_us > KILL_PATIENCE_US)
		process_signal(r->process, SIGKILL);
}

static int poll_timeout_ms(const struct run *r)
{
	return r->killing_since_us != 0 ? KILL_INTERVAL_US / 1000 : -1;
}

/* Until the runtime has ended. */
static void run_loop(struct run *r)
{
	for (;;) {
		int n = poll(r->fds, SLOTS, poll_timeout_ms(r));
		if (n < 0 && errno != EINTR)
			return;
		if (n > 0) {
			read_ready(r);
			if (r->fds[SLOT_EXIT].revents != 0)
				return;
			if (r->fds[SLOT_CANCEL].fd >= 0 && r->fds[SLOT_CANCEL].revents != 0) {
				r->fds[SLOT_CANCEL].fd = -1;
				r->killing_since_us = g_get_monotonic_time();
				kill_step(r);
			}
		} else if (r->killing_since_us != 0) {
			kill_step(r);
		}
	}
}

/* What is still in the pipes. Whoever keeps them open after the step's end is killed, and not waited for long. */
static void drain(struct run *r)
{
	int64_t until_us = g_get_monotonic_time() + DRAIN_US;
	while (r->fds[SLOT_OUT].fd >= 0 || r->fds[SLOT_ERR].fd >= 0) {
		int n = poll(r->fds, SLOT_ERR + 1, 10);
		if (n > 0) {
			read_ready(r);
		} else {
			cgroup_kill(r->call->cgroups, r->call->cgroup_path);
			if (g_get_monotonic_time() > until_us)
				return;
		}
	}
}

static bool start(struct run *r, int out_fd, int err_fd, GError **error)
{
	const struct runtime_call *c = r->call;
	/* The runtime's own message still comes on stderr: a log file would only say it twice. */
	const char *argv[] = {c->binary, "--root", c->state_root, "--log", "/dev/null",
			      "run", "--keep", "--bundle", c->bundle, c->id, NULL};
	const int fds[] = {c->stdin_fd, out_fd, err_fd};
	struct process_spec spec = {
		.argv = argv,
		.envp = (const char *const *)environ,
		.fds = fds,
		.n_fds = G_N_ELEMENTS(fds),
		.new_session = true,
	};
	r->process = process_start(&spec, error);
	return r->process != NULL;
}

static bool open_pipe(int *ret_read, int *ret_write, GError **error)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) != 0)
		return error_set_errno(error, errno, "pipe");
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	*ret_read = ends[0];
	*ret_write = ends[1];
	return true;
}

static int exit_code(int status)
{
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : 255;
}

bool runtime_run(const struct runtime_call *call, int *ret_code, GError **error)
{
	scoped_fd out = -1, out_child = -1, err = -1, err_child = -1;
	if (!cancel_check(call->cancel, error) || !open_pipe(&out, &out_child, error) ||
	    !open_pipe(&err, &err_child, error))
		return false;
	struct run r = {.call = call};
	if (!start(&r, out_child, err_child, error))
		return false;
	g_autoptr(process) owned = r.process;
	g_autofree uint8_t *buffer = g_malloc(CHUNK_BYTES);
	r.buffer = buffer;
	fd_close(&out_child);
	fd_close(&err_child);
	r.fds[SLOT_OUT] = (struct pollfd){.fd = out, .events = POLLIN};
	r.fds[SLOT_ERR] = (struct pollfd){.fd = err, .events = POLLIN};
	r.fds[SLOT_EXIT] = (struct pollfd){.fd = process_pidfd(r.process), .events = POLLIN};
	r.fds[SLOT_CANCEL] = (struct pollfd){.fd = cancel_fd(call->cancel), .events = POLLIN};
	run_loop(&r);
	int status;
	if (!process_wait(r.process, NULL, &status, error))
		return false;
	drain(&r);
	int code = exit_code(status);
	if (!cancel_check(call->cancel, error)) {
		g_prefix_error(error, "exit code: %d: ", code);
		return false;
	}
	*ret_code = code;
	return true;
}
