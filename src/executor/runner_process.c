/* SPDX-License-Identifier: Apache-2.0 */
#include "executor/runner_process.h"
#include "base/scope.h"
#include "os/file.h"
#include "os/process.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/pidfd.h>

static bool kill_process(void *data, bool late)
{
	const struct runner_process *p = data;
	/* An inner process also gets a signal when the one that waits for it dies, unless it has cleared that. */
	if (p->inner_fd >= 0)
		pidfd_send_signal(p->inner_fd, SIGKILL, NULL, 0);
	runner_kill(p->step);
	if (late)
		runner_abandon(p->step); /* it hangs in the kernel: the runner continues to wait for it, we do not */
	return true;
}

bool runner_process_init(struct runner_process *p, executor *e, const struct step_run *run, struct runner_step *step,
			 GError **error)
{
	*p = (struct runner_process){.e = e, .run = run, .step = step, .inner_fd = -1, .terminal_fd = -1};
	p->streams.io = run->io;
	p->pump_call = (struct pump_call){
		.output = run->output,
		.output_data = run->output_data,
		.cancel = run->work->cancel,
		.kill = kill_process,
		.kill_data = p,
		.skip = {!step_io_is_log(run->io, 1), !step_io_is_log(run->io, 2)},
	};
	bool opened = pump_init(&p->streams.pump, &p->pump_call, error);
	return step_ends_open(&p->streams.ends, opened ? run->io : NULL, opened ? error : NULL) && opened;
}

void runner_process_clear(struct runner_process *p)
{
	step_process_end(p->run->process);
	pump_done(&p->streams.pump);
	step_ends_clear(&p->streams.ends);
	fd_close(&p->inner_fd);
	fd_close(&p->terminal_fd);
}

void runner_streams_plan(const struct runner_streams *s, struct step_plan_input *input)
{
	for (int i = 0; i < 3; i++) {
		int log_fd = i > 0 ? s->pump.write_fds[i - 1] : -1;
		input->stdio[i] = log_fd >= 0 ? log_fd : s->ends.theirs[i];
	}
	input->notify = s->io != NULL;
	input->terminal = s->io && s->io->terminal;
	if (input->terminal)
		input->size = s->io->size;
}

/* ---- the handle */

static bool process_signal_now(void *self, int signal, GError **error)
{
	const struct runner_process *p = self;
	int fd = p->joins ? p->inner_fd : p->step->pidfd;
	return fd < 0 || pidfd_send_signal(fd, signal, NULL, 0) == 0 || errno == ESRCH ||
	       error_set_errno(error, errno, "send signal %d", signal);
}

static bool process_resize(void *self, struct step_size size, GError **error)
{
	const struct runner_process *p = self;
	return p->terminal_fd < 0 || step_terminal_resize(p->terminal_fd, size, error);
}

static const struct step_process_class process_class = {.signal = process_signal_now, .resize = process_resize};

static void start(struct runner_process *p)
{
	p->started = true;
	step_process_start(p->run->process, p->run->io, &process_class, p, p->streams.ends.ours);
}

static bool take_terminal(struct runner_process *p, int *fd, GError **error)
{
	p->terminal_fd = fcntl(*fd, F_DUPFD_CLOEXEC, 3);
	if (p->terminal_fd < 0)
		return error_set_errno(error, errno, "open a terminal");
	return step_ends_set_terminal(&p->streams.ends, fd_steal(fd), error);
}

/* ---- reports */

/* Internal errors are returned; errors caused by the step's settings are its failure, reported on its stderr. */
static bool is_internal(unsigned phase)
{
	return phase == PHASE_PLAN || phase == PHASE_CLONE || phase == PHASE_CGROUP;
}

static void write_failure(struct runner_process *p, const char *line)
{
	int pipe_fd = p->streams.ends.theirs[2];
	if (step_io_is_log(p->run->io, 2))
		p->run->output(p->run->output_data, 2, line, strlen(line));
	else if (p->terminal_fd >= 0)
		step_terminal_write_line(p->terminal_fd, line);
	else if (pipe_fd >= 0)
		file_write_all(pipe_fd, line, strlen(line)); /* the pipe is empty: the program has not run */
}

static bool report_failure(struct runner_process *p, const struct runner_report *report, GError **error)
{
	const char *why = report->error != 0 ? error_errno_text(report->error) : NULL;
	const char *phase =
		report->phase == PHASE_PROGRAM || report->phase == PHASE_CWD ? NULL : plan_phase_text(report->phase);
	bool silent = p->streams.io && p->streams.io->terminal && p->terminal_fd < 0;
	if (is_internal(report->phase) || silent) {
		const char *name = phase ? phase : "program";
		return report->error != 0
			       ? error_set_errno(error, report->error, "start step: %s: %s", name, report->text)
			       : error_set(error, ERROR_UNKNOWN, "start step: %s: %s", name, report->text);
	}
	g_autofree char *line = g_strdup_printf("buildkit-runc: %s%s%s%s%s\n", phase ? phase : "", phase ? ": " : "",
						report->text, why ? ": " : "", why ? why : "");
	write_failure(p, line);
	return true;
}

/* ret_ended: the process has exited. */
static bool take_report(struct runner_process *p, struct step_exit *ret_exit, bool *ret_ended, GError **error)
{
	struct runner_report report;
	scoped_fd fd = -1;
	if (!runner_receive(p->step, &report, &fd, error))
		return false;
	switch (report.kind) {
	case RUNNER_FAILED:
		return report_failure(p, &report, error);
	case RUNNER_CONSOLE:
		if (!take_terminal(p, &fd, error))
			return false;
		break;
	case RUNNER_PROCESS:
		fd_close(&p->inner_fd);
		p->inner_fd = fd_steal(&fd);
		break;
	case RUNNER_READY: /* the inner process and the terminal were reported before */
		start(p);
		break;
	case RUNNER_EXITED:
		*ret_exit = (struct step_exit){process_exit_code(report.status), report.oom_killed != 0};
		*ret_ended = true;
		break;
	default:
		break;
	}
	return true;
}

static bool wait_for_end(struct runner_process *p, struct step_exit *ret_exit, GError **error)
{
	for (bool ended = false; !ended;) {
		pump_run(&p->streams.pump, p->step->socket_fd);
		if (!take_report(p, ret_exit, &ended, error))
			return false;
	}
	return true;
}

/* Until the process exits we keep its stderr, for the reason why its program could not be started. */
static void close_their_ends(struct runner_process *p)
{
	pump_close_write_ends(&p->streams.pump);
	fd_close(&p->streams.ends.theirs[0]);
	fd_close(&p->streams.ends.theirs[1]);
}

bool runner_process_run(struct runner_process *p, step_plan *plan, struct step_exit *ret_exit, GError **error)
{
	size_t n_fds;
	const int *fds = step_plan_fds(plan, &n_fds);
	struct step_exit result = {0};
	if (!runner_send(p->step, step_plan_get(plan), fds, n_fds, error))
		return false;
	close_their_ends(p);
	g_autoptr(GError) trouble = NULL;
	bool ended = wait_for_end(p, &result, &trouble);
	if (!ended)
		result = (struct step_exit){.code = 255};
	if (!p->started && ended)
		start(p); /* its streams have the reason why it could not be started */
	step_ends_close_theirs(&p->streams.ends);
	if (ended) {
		pump_drain(&p->streams.pump);
		*ret_exit = result;
	}
	if (!cancel_check(p->run->work->cancel, error)) {
		g_prefix_error(error, "exit code: %d: ", result.code);
		return false;
	}
	if (trouble) {
		g_propagate_error(error, g_steal_pointer(&trouble));
		return false;
	}
	return true;
}
