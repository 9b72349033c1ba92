/* SPDX-License-Identifier: Apache-2.0 */
#include "executor/runtime.h"
#include "base/limits.h"
#include "base/scope.h"
#include "os/process.h"
#include <signal.h>

struct run {
	const struct runtime_call *call;
	process *process;
	int kills;
};

extern char **environ;

/* For processes outside our cgroups (systemd's naming): the runtime knows their cgroup. */
static void kill_by_runtime(const struct run *r)
{
	const char *argv[] = {r->call->binary, "--root", r->call->state_root, "--log", "/dev/null", "kill", r->call->id,
			      "KILL",          NULL};
	struct process_spec spec = {.argv = argv, .envp = (const char *const *)environ};
	int status;
	process_run(&spec, NULL, 0, KIB(4), NULL, &status, NULL, NULL, NULL);
}

static bool kill_step(void *data, bool late)
{
	struct run *r = data;
	bool any = cgroup_kill(r->call->cgroups, r->call->cgroup_path);
	r->kills++;
	if (!any && r->kills % 10 == 2)
		kill_by_runtime(r);
	if (late)
		process_signal(r->process, SIGKILL);
	return true;
}

static bool start(struct run *r, int out_fd, int err_fd, GError **error)
{
	const struct runtime_call *c = r->call;
	/* The runtime's own message still appears on stderr: a log file would only repeat it. */
	const char *argv[] = {c->binary, "--root",   c->state_root, "--log", "/dev/null", "run",
			      "--keep",  "--bundle", c->bundle,     c->id,   NULL};
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

bool runtime_run(const struct runtime_call *call, int *ret_code, GError **error)
{
	struct run r = {.call = call};
	const struct pump_call pump_call = {
		.output = call->output,
		.output_data = call->output_data,
		.cancel = call->cancel,
		.kill = kill_step,
		.kill_data = &r,
	};
	__attribute__((cleanup(pump_done))) struct pump pump;
	if (!pump_init(&pump, &pump_call, error) || !cancel_check(call->cancel, error) ||
	    !start(&r, pump.write_fds[0], pump.write_fds[1], error))
		return false;
	g_autoptr(process) owned = r.process;
	pump_close_write_ends(&pump);
	pump_run(&pump, process_pidfd(r.process));
	int status;
	if (!process_wait(r.process, NULL, &status, error))
		return false;
	pump_drain(&pump);
	int code = process_exit_code(status);
	if (!cancel_check(call->cancel, error)) {
		g_prefix_error(error, "exit code: %d: ", code);
		return false;
	}
	*ret_code = code;
	return true;
}
