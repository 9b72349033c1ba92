/* SPDX-License-Identifier: Apache-2.0 */
#include "containerd/ctd_process.h"
#include "api/guard.h"
#include "base/scope.h"
#include "containerd/task_wait.h"
#include "ctd_tasks.pb-c.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#define TASKS "/containerd.services.tasks.v1.Tasks/"
#define PROCESS_TYPE "types.containerd.io/opencontainers/runtime-spec/1/Process"

struct task {
	struct runtime_self self; /* first member */
	ctd_client *client;       /* borrowed */
	bool is_running;          /* containerd has not been asked to kill it, and it has not exited */
	char *fifos[3];           /* owned; NULL: no stream */
	int read_fds[2];          /* owned; stdout and stderr, if they are read here */
	struct step_ends ends;    /* the caller's; theirs[0] keeps stdin open until the process has started */
};

static char *borrow(const char *text)
{
	return (char *)(uintptr_t)(text ? text : "");
}

/* ---- streams */

static int make_fifo(struct task *t, int stream, int flags, GError **error)
{
	static const char *const names[] = {"stdin", "stdout", "stderr"};
	const struct runtime_call *call = t->self.call;
	g_autofree char *name = g_strconcat(call->exec_id ? call->exec_id : "init", ".", names[stream], NULL);
	t->fifos[stream] = g_build_filename(call->bundle, name, NULL);
	if (mkfifo(t->fifos[stream], 0600) < 0) {
		error_set_errno(error, errno, "make %s", t->fifos[stream]);
		return -1;
	}
	int fd = open(t->fifos[stream], flags | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		error_set_errno(error, errno, "open %s", t->fifos[stream]);
	return fd;
}

/* Without a reader a FIFO cannot be opened for writing: it is opened for both first. */
static bool open_input(struct task *t, GError **error)
{
	t->ends.theirs[0] = make_fifo(t, 0, O_RDWR, error);
	if (t->ends.theirs[0] < 0)
		return false;
	t->ends.ours[0] = open(t->fifos[0], O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	return t->ends.ours[0] >= 0 || error_set_errno(error, errno, "open %s", t->fifos[0]);
}

/* Shims need both outputs if there is any: one that is not wanted is read and dropped. */
static bool open_streams(struct task *t, GError **error)
{
	const struct step_io *io = t->self.call->io;
	bool terminal = io && io->terminal;
	if (io && (terminal || io->streams[0] == STEP_STREAM_PIPE) && !open_input(t, error))
		return false;
	for (int i = 1; i < (terminal ? 2 : 3); i++) {
		int fd = make_fifo(t, i, O_RDONLY, error);
		if (fd < 0)
			return false;
		*(terminal || (io && io->streams[i] == STEP_STREAM_PIPE) ? &t->ends.ours[i] : &t->read_fds[i - 1]) = fd;
	}
	return true;
}

static void write_output(void *data, int stream, const void *bytes, size_t n)
{
	const struct task *t = data;
	const struct runtime_call *call = t->self.call;
	if (step_io_is_log(call->io, stream))
		call->output(call->output_data, stream, bytes, n);
}

static void task_clear(struct task *t)
{
	step_process_end(t->self.call->process);
	for (int i = 0; i < 3; i++) {
		if (t->fifos[i])
			unlink(t->fifos[i]);
		g_free(t->fifos[i]);
	}
	fd_close(&t->read_fds[0]);
	fd_close(&t->read_fds[1]);
	step_ends_clear(&t->ends);
}

/* ---- calls */

static bool create_task(struct task *t, const char *runtime_path, GError **error)
{
	const struct runtime_call *call = t->self.call;
	CtdTasks__CreateTaskRequest request = CTD_TASKS__CREATE_TASK_REQUEST__INIT;
	request.container_id = borrow(call->id);
	request.stdin = borrow(t->fifos[0]);
	request.stdout = borrow(t->fifos[1]);
	request.stderr = borrow(t->fifos[2]);
	request.terminal = call->io && call->io->terminal;
	request.runtime_path = borrow(runtime_path);
	void *reply = ctd_call(t->client, CTD_LONG, TASKS "Create", &request,
			       &ctd_tasks__create_task_response__descriptor, call->cancel, error);
	guard_free(reply);
	return reply != NULL;
}

static bool add_process(struct task *t, GError **error)
{
	const struct runtime_call *call = t->self.call;
	CtdTasks__ExecProcessRequest request = CTD_TASKS__EXEC_PROCESS_REQUEST__INIT;
	Google__Any spec = GOOGLE__ANY__INIT;
	spec.type_url = borrow(PROCESS_TYPE);
	spec.value.data = (uint8_t *)(uintptr_t)call->process_json;
	spec.value.len = call->n_process_json;
	request.container_id = borrow(call->id);
	request.exec_id = borrow(call->exec_id);
	request.stdin = borrow(t->fifos[0]);
	request.stdout = borrow(t->fifos[1]);
	request.stderr = borrow(t->fifos[2]);
	request.terminal = call->io && call->io->terminal;
	request.spec = &spec;
	return ctd_do(t->client, CTD_LONG, TASKS "Exec", &request, call->cancel, error);
}

static bool start(struct task *t, GError **error)
{
	const struct runtime_call *call = t->self.call;
	CtdTasks__StartRequest request = CTD_TASKS__START_REQUEST__INIT;
	request.container_id = borrow(call->id);
	request.exec_id = borrow(call->exec_id);
	void *reply = ctd_call(t->client, CTD_LONG, TASKS "Start", &request, &ctd_tasks__start_response__descriptor,
			       call->cancel, error);
	guard_free(reply);
	return reply != NULL;
}

static void delete_process(struct task *t)
{
	CtdTasks__DeleteProcessRequest request = CTD_TASKS__DELETE_PROCESS_REQUEST__INIT;
	request.container_id = borrow(t->self.call->id);
	request.exec_id = borrow(t->self.call->exec_id);
	void *reply = ctd_call(t->client, CTD_PLAIN, TASKS "DeleteProcess", &request,
			       &ctd_tasks__delete_response__descriptor, NULL, NULL);
	guard_free(reply);
}

static bool send_signal(ctd_client *client, const char *id, const char *exec_id, int signal, bool all, GError **error)
{
	CtdTasks__KillRequest request = CTD_TASKS__KILL_REQUEST__INIT;
	request.container_id = borrow(id);
	request.exec_id = borrow(exec_id);
	request.signal = (uint32_t)signal;
	request.all = all;
	return ctd_remove(client, CTD_PLAIN, TASKS "Kill", &request, error);
}

void ctd_process_kill_all(ctd_client *client, const char *id)
{
	send_signal(client, id, NULL, SIGKILL, true, NULL);
}

/* ---- the handle */

static bool process_signal_now(void *self, int signal, GError **error)
{
	const struct task *t = self;
	return send_signal(t->client, t->self.call->id, t->self.call->exec_id, signal, false, error);
}

static bool process_resize(void *self, struct step_size size, GError **error)
{
	const struct task *t = self;
	const struct runtime_call *call = t->self.call;
	CtdTasks__ResizePtyRequest request = CTD_TASKS__RESIZE_PTY_REQUEST__INIT;
	if (!call->io || !call->io->terminal)
		return true;
	request.container_id = borrow(call->id);
	request.exec_id = borrow(call->exec_id);
	request.width = size.columns;
	request.height = size.rows;
	return ctd_remove(t->client, CTD_PLAIN, TASKS "ResizePty", &request, error);
}

static const struct step_process_class process_class = {.signal = process_signal_now, .resize = process_resize};

/* The shim has a writer of stdin, too, so that it does not end before a client has come: that one is not needed. */
static bool give_streams(struct task *t, GError **error)
{
	const struct runtime_call *call = t->self.call;
	CtdTasks__CloseIORequest request = CTD_TASKS__CLOSE_IOREQUEST__INIT;
	request.container_id = borrow(call->id);
	request.exec_id = borrow(call->exec_id);
	request.stdin = true;
	if (t->fifos[0] && !ctd_remove(t->client, CTD_PLAIN, TASKS "CloseIO", &request, error))
		return false;
	fd_close(&t->ends.theirs[0]);
	if (call->io && call->io->terminal && call->io->size.rows != 0 && !process_resize(t, call->io->size, error))
		return false;
	step_process_start(call->process, call->io, &process_class, t, t->ends.ours);
	return true;
}

/* ---- from start to exit */

static bool kill_step(void *data, bool late)
{
	struct task *t = data;
	const struct runtime_call *call = t->self.call;
	if (t->is_running)
		send_signal(t->client, call->id, call->exec_id, SIGKILL, !call->exec_id, NULL);
	t->is_running = false;
	if (!call->exec_id)
		cgroup_kill(call->cgroups, call->cgroup_path);
	return !late;
}

static bool follow(struct task *t, int *ret_code, GError **error)
{
	const struct runtime_call *call = t->self.call;
	g_autoptr(task_wait) wait = task_wait_start(t->client, call->id, call->exec_id, error);
	if (!wait || !start(t, error))
		return false;
	t->is_running = true;
	const struct pump_call pump_call = {
		.output = write_output,
		.output_data = t,
		.cancel = call->cancel,
		.kill = kill_step,
		.kill_data = t,
	};
	__attribute__((cleanup(pump_done))) struct pump pump;
	pump_init_fds(&pump, &pump_call, fd_steal(&t->read_fds[0]), fd_steal(&t->read_fds[1]));
	int code = 255;
	bool known =
		give_streams(t, error) && pump_run(&pump, task_wait_fd(wait)) && task_wait_result(wait, &code, error);
	if (!known)
		kill_step(t, false);
	t->is_running = false;
	pump_drain(&pump);
	if (known)
		*ret_code = code;
	if (cancel_is_set(call->cancel)) {
		g_clear_error(error);
		cancel_check(call->cancel, error);
		return error_prefix(error, "exit code: %d: ", code);
	}
	return known;
}

bool ctd_process_run(ctd_client *client, const char *runtime_path, const struct runtime_call *call, int *ret_code,
		     GError **error)
{
	__attribute__((cleanup(task_clear))) struct task t = {
		.self = {call}, .client = client, .read_fds = {-1, -1}, .ends = {{-1, -1, -1}, {-1, -1, -1}}};
	if (!open_streams(&t, error) ||
	    !(call->exec_id ? add_process(&t, error) : create_task(&t, runtime_path, error)))
		return false;
	bool ran = follow(&t, ret_code, error);
	if (call->exec_id)
		delete_process(&t);
	return ran;
}
