/* SPDX-License-Identifier: Apache-2.0 */
#include "executor/runtime.h"
#include "base/limits.h"
#include "base/scope.h"
#include "os/process.h"
#include "os/process_fd.h"
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/pidfd.h>

#define KEEP_FLAG "--keep"

struct run {
	struct runtime_self self;
	process *process; /* of the runtime */
	char *pid_path;   /* owned; NULL: no handle is needed */
	int inner_fd;     /* owned; process_fd of the process in the container; -1: not known */
	int terminal_fd;  /* owned; -1: none */
	struct step_ends ends;
	int kills;
};

extern char **environ;

static void run_clear(struct run *r)
{
	/* Further processes end before the handle does, whatever happened to the runtime. */
	if (!r->self.call->exec_id && r->process)
		cgroup_kill(r->self.call->cgroups, r->self.call->cgroup_path);
	step_process_end(r->self.call->process);
	if (r->pid_path)
		unlink(r->pid_path);
	g_free(r->pid_path);
	fd_close(&r->inner_fd);
	fd_close(&r->terminal_fd);
	step_ends_clear(&r->ends);
	g_clear_pointer(&r->process, process_free);
}

/* ---- cancellation */

/* For processes outside our cgroups (systemd's naming): the runtime knows their cgroup. */
static void kill_by_runtime(const struct run *r)
{
	const struct runtime_call *c = r->self.call;
	const char *argv[] = {c->binary, "--root", c->state_root, "--log", "/dev/null", "kill", c->id, "KILL", NULL};
	struct process_spec spec = {.argv = argv, .envp = (const char *const *)environ};
	int status;
	process_run(&spec, NULL, 0, KIB(4), NULL, &status, NULL, NULL, NULL);
}

static bool kill_step(void *data, bool late)
{
	struct run *r = data;
	if (r->self.call->exec_id) {
		if (r->inner_fd >= 0)
			process_fd_signal(r->inner_fd, SIGKILL);
	} else {
		bool any = cgroup_kill(r->self.call->cgroups, r->self.call->cgroup_path);
		r->kills++;
		if (!any && r->kills % 10 == 2)
			kill_by_runtime(r);
	}
	if (late)
		process_signal(r->process, SIGKILL);
	return true;
}

/* ---- what the runtime knows */

bool runtime_knows_keep(const char *binary, cancel *c, bool *ret_knows, GError **error)
{
	const char *argv[] = {binary, "run", "--help", NULL};
	struct process_spec spec = {.argv = argv, .envp = (const char *const *)environ};
	g_autoptr(GBytes) out = NULL;
	int status;
	if (!process_run(&spec, NULL, 0, KIB(64), c, &status, &out, NULL, error))
		return error_prefix(error, "ask %s for its options: ", binary);
	gsize n;
	const char *text = g_bytes_get_data(out, &n);
	*ret_knows = n > 0 && g_strstr_len(text, (gssize)n, KEEP_FLAG) != NULL;
	return true;
}

/* ---- start */

static bool open_ends(struct run *r, GError **error)
{
	const struct step_io *io = r->self.call->io;
	if (!io || !io->terminal)
		return step_ends_open(&r->ends, io, error);
	if (!step_ends_open_terminal(&r->ends, io->size, error))
		return false;
	r->terminal_fd = fcntl(r->ends.ours[0], F_DUPFD_CLOEXEC, 3);
	return r->terminal_fd >= 0 || error_set_errno(error, errno, "open a terminal");
}

static bool start(struct run *r, const struct pump *pump, GError **error)
{
	const struct runtime_call *c = r->self.call;
	g_autoptr(GPtrArray) argv = g_ptr_array_new();
	/* The runtime's own message still appears on stderr: a log file would only repeat it. */
	const char *const common[] = {c->binary, "--root",    c->state_root,
				      "--log",   "/dev/null", c->exec_id ? "exec" : "run"};
	const char *const run_args[] = {"--bundle", c->bundle, c->id};
	const char *const exec_args[] = {"--process", c->process_path, c->id};
	G_STATIC_ASSERT(G_N_ELEMENTS(run_args) == G_N_ELEMENTS(exec_args));
	for (size_t i = 0; i < G_N_ELEMENTS(common); i++)
		g_ptr_array_add(argv, (void *)(gsize)common[i]);
	if (r->pid_path) {
		g_ptr_array_add(argv, (void *)(gsize) "--pid-file");
		g_ptr_array_add(argv, r->pid_path);
	}
	if (!c->exec_id && c->keep)
		g_ptr_array_add(argv, (void *)(gsize)KEEP_FLAG);
	for (size_t i = 0; i < G_N_ELEMENTS(run_args); i++)
		g_ptr_array_add(argv, (void *)(gsize)(c->exec_id ? exec_args : run_args)[i]);
	g_ptr_array_add(argv, NULL);
	int fds[3];
	for (int i = 0; i < 3; i++)
		fds[i] = i > 0 && pump->write_fds[i - 1] >= 0 ? pump->write_fds[i - 1] : r->ends.theirs[i];
	struct process_spec spec = {
		.argv = (const char *const *)argv->pdata,
		.envp = (const char *const *)environ,
		.fds = fds,
		.n_fds = G_N_ELEMENTS(fds),
		.new_session = true,
	};
	r->process = process_start(&spec, error);
	return r->process != NULL;
}

/* ---- the handle */

static bool run_signal(void *self, int signal, GError **error)
{
	const struct run *r = self;
	int result = r->inner_fd < 0 ? 0 : process_fd_signal(r->inner_fd, signal);
	return result == 0 || result == -ESRCH || error_set_errno(error, -result, "send signal %d", signal);
}

/*
 * The runtime copies between our terminal and that of the container: the signal tells it that the size has changed. crun
 * only passes the signal on, so the size is set first. The descriptor is copied and not opened again: the process may
 * have put anything in its place.
 */
static bool run_resize(void *self, struct step_size size, GError **error)
{
	const struct run *r = self;
	if (r->terminal_fd < 0)
		return true;
	if (!step_terminal_resize(r->terminal_fd, size, error))
		return false;
	scoped_fd inner = r->inner_fd >= 0 ? pidfd_getfd(r->inner_fd, 0, 0) : -1;
	if (inner >= 0 && isatty(inner))
		step_terminal_resize(inner, size, NULL);
	process_signal(r->process, SIGWINCH);
	return true;
}

static const struct step_process_class run_class = {.signal = run_signal, .resize = run_resize};

/* Reads the pid once the runtime has written it: some create the file first. */
static bool find_inner(struct run *r)
{
	g_autofree char *text = NULL;
	int64_t pid = 0;
	if (!g_file_get_contents(r->pid_path, &text, NULL, NULL) ||
	    !g_ascii_string_to_signed(g_strchomp(text), 10, 1, INT_MAX, &pid, NULL))
		return false;
	r->inner_fd = process_fd_open((pid_t)pid);
	return r->inner_fd >= 0;
}

static bool has_exited(const struct run *r)
{
	struct pollfd p = {.fd = process_exit_fd(r->process), .events = POLLIN};
	return poll(&p, 1, 0) == 1;
}

/* Returns a descriptor that is readable when the pid may have been written or the runtime has exited. */
static int watch_pid(const struct run *r, int *ret_changes_fd, GError **error)
{
	g_autofree char *directory = g_path_get_dirname(r->pid_path);
	struct epoll_event event = {.events = EPOLLIN};
	scoped_fd changes = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	scoped_fd any = epoll_create1(EPOLL_CLOEXEC);
	if (changes < 0 || any < 0 || inotify_add_watch(changes, directory, IN_MOVED_TO | IN_CLOSE_WRITE) < 0 ||
	    epoll_ctl(any, EPOLL_CTL_ADD, changes, &event) != 0) {
		error_set_errno(error, errno, "watch %s", directory);
		return -1;
	}
	*ret_changes_fd = fd_steal(&changes);
	return fd_steal(&any);
}

static void start_handle(struct run *r)
{
	step_process_start(r->self.call->process, r->self.call->io, &run_class, r, r->ends.ours);
}

/* Starts the handle when the runtime has started the process, for signals; also when it has failed to. */
static bool pump_until_started(struct run *r, struct pump *pump, int any_fd, int changes_fd, GError **error)
{
	struct epoll_event event = {.events = EPOLLIN};
	char changes[4096];
	if (epoll_ctl(any_fd, EPOLL_CTL_ADD, process_exit_fd(r->process), &event) != 0)
		return error_set_errno(error, errno, "watch the runtime");
	while (!find_inner(r) && !has_exited(r)) {
		pump_run(pump, any_fd);
		while (read(changes_fd, changes, sizeof changes) > 0)
			continue;
	}
	start_handle(r);
	return true;
}

/* ---- from start to exit */

static bool run_to_exit(struct run *r, struct pump *pump, int *ret_status, GError **error)
{
	int changes_fd = -1;
	scoped_fd any = r->pid_path ? watch_pid(r, &changes_fd, error) : -1;
	scoped_fd changes = changes_fd;
	if ((r->pid_path && any < 0) || !start(r, pump, error))
		return false;
	pump_close_write_ends(pump);
	step_ends_close_theirs(&r->ends);
	if (r->pid_path && !pump_until_started(r, pump, any, changes, error))
		return false;
	pump_run(pump, process_exit_fd(r->process));
	return process_wait(r->process, NULL, ret_status, error);
}

bool runtime_run(const struct runtime_call *call, int *ret_code, GError **error)
{
	__attribute__((cleanup(run_clear))) struct run r = {
		.self = {call}, .inner_fd = -1, .terminal_fd = -1, .ends = {{-1, -1, -1}, {-1, -1, -1}}};
	const struct pump_call pump_call = {
		.output = call->output,
		.output_data = call->output_data,
		.cancel = call->cancel,
		.kill = kill_step,
		.kill_data = &r,
		.skip = {!step_io_is_log(call->io, 1), !step_io_is_log(call->io, 2)},
	};
	__attribute__((cleanup(pump_done))) struct pump pump;
	if (!pump_init(&pump, &pump_call, error) || !cancel_check(call->cancel, error) || !open_ends(&r, error))
		return false;
	if (call->io)
		r.pid_path = g_strdup_printf("%s/%s.pid", call->bundle, call->exec_id ? call->exec_id : "init");
	int status;
	if (!run_to_exit(&r, &pump, &status, error))
		return false;
	pump_drain(&pump);
	*ret_code = process_exit_code(status);
	if (!cancel_check(call->cancel, error)) {
		g_prefix_error(error, "exit code: %d: ", *ret_code);
		return false;
	}
	return true;
}
