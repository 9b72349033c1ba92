/* SPDX-License-Identifier: Apache-2.0 */
#include "container/container_internal.h"
#include "api/guard.h"
#include "base/limits.h"
#include "base/thread.h"

#define WINDOWS_PATH "c:\\Windows\\System32;c:\\Windows;C:\\Windows\\System32\\WindowsPowerShell\\v1.0"
#define UNKNOWN_EXIT 255 /* the process did not start, or its status is lost */

static container_process *process_ref(container_process *p)
{
	g_atomic_int_inc(&p->refs);
	return p;
}

void container_process_unref(container_process *p)
{
	if (!p || !g_atomic_int_dec_and_test(&p->refs))
		return;
	step_process_unref(p->process);
	step_fields_clear(&p->fields);
	guard_free(p->meta);
	cancel_unref(p->cancel);
	g_mutex_clear(&p->mu);
	g_cond_clear(&p->changed);
	g_free(p);
}

/* ---- on the thread of the process */

static void set_first(container *c, enum first_state state, step_process *process)
{
	g_mutex_lock(&c->mu);
	c->first = state;
	g_clear_pointer(&c->first_process, step_process_unref);
	c->first_process = process;
	g_cond_broadcast(&c->changed);
	g_mutex_unlock(&c->mu);
}

static void process_started(void *data, step_process *handle, const int *fds)
{
	container_process *p = data;
	if (p->first)
		set_first(p->container, FIRST_RUNNING, step_process_ref(handle));
	g_mutex_lock(&p->mu);
	p->process = step_process_ref(handle);
	g_cond_broadcast(&p->changed);
	g_mutex_unlock(&p->mu);
	p->io.started(p->io.data, fds);
}

static void drop_output(void *data, int stream, const void *bytes, size_t n)
{
	(void)data, (void)stream, (void)bytes, (void)n;
}

static struct step_io step_io_of(container_process *p)
{
	struct step_io io = {.terminal = p->io.terminal, .started = process_started, .data = p};
	for (int i = 0; i < 3; i++)
		io.streams[i] = p->io.wanted[i] ? STEP_STREAM_PIPE : STEP_STREAM_NULL;
	return io;
}

/* The same check as for RUN, where the definition is checked when it is loaded. */
static bool check_modes(const container_process *p, struct step *step, GError **error)
{
	const container *c = p->container;
	if (!step_fields_modes(step, PB__NET_MODE__UNSET, p->security, error))
		return false;
	step->network = c->step.network;
	if (step->network == STEP_NETWORK_HOST && !c->allow_network_host)
		return error_set(error, ERROR_PERMISSION_DENIED, "network.host is not allowed");
	return !step->insecure || c->allow_security_insecure ||
	       error_set(error, ERROR_PERMISSION_DENIED, "security.insecure is not allowed");
}

static const char *cwd_of(const container_process *p)
{
	return *p->meta->cwd != '\0' ? p->meta->cwd : "/";
}

static bool run_first(container_process *p, bool insecure, struct work *work, struct step_exit *ret_exit,
		      GError **error)
{
	container *c = p->container;
	struct step step = c->step;
	struct step_io io = step_io_of(p);
	step_fields_fill(&p->fields, &step);
	step.hosts = (const struct step_host *)(const void *)c->hosts.hosts->data;
	step.n_hosts = c->hosts.hosts->len;
	step.insecure = insecure;
	step.cwd = cwd_of(p);
	step.user = p->meta->user;
	step.cgroup_parent = p->meta->cgroupparent;
	step.remove_stubs_recursive = p->meta->removemountstubsrecursive;
	step.io = &io;
	step.output = drop_output;
	return executor_run(c->worker->executor, &step, work, ret_exit, error);
}

/* Waits until the first process has started; NULL if it has ended. */
static step_process *wait_for_first(container *c, cancel *stop, GError **error)
{
	g_auto(cancel_watch) watch = {0};
	cancel_watch_start(&watch, stop, &c->mu, &c->changed);
	g_mutex_lock(&c->mu);
	while (c->first == FIRST_STARTING && !cancel_is_set(stop))
		g_cond_wait(&c->changed, &c->mu);
	step_process *first = c->first_process ? step_process_ref(c->first_process) : NULL;
	g_mutex_unlock(&c->mu);
	if (!first && cancel_check(stop, error))
		error_set(error, ERROR_UNKNOWN, "container %s not found", c->id);
	return first;
}

static bool run_further(container_process *p, struct work *work, struct step_exit *ret_exit, GError **error)
{
	struct step step = {0};
	struct step_io io = step_io_of(p);
	g_autoptr(step_process) first = wait_for_first(p->container, work->cancel, error);
	if (!first)
		return false;
	step_fields_fill(&p->fields, &step);
	const struct step_command command = {
		.args = step.args,
		.env = step.env,
		.cwd = cwd_of(p),
		.user = p->meta->user,
		.io = &io,
		.output = drop_output,
	};
	return executor_exec(p->container->worker->executor, first, &command, work, ret_exit, error);
}

/*
 * Returns the code and its error. A further process that ends because the first one was killed by a release is canceled,
 * too, even if its own token is set later.
 */
static int process_result(const container *c, bool ran, const struct step_exit *exit, GError **failure)
{
	if (ran && exit->code == 0)
		return 0;
	if (ran && !cancel_check(c->work.cancel, failure)) {
		g_prefix_error(failure, "exit code: %d: ", exit->code);
		return exit->code;
	}
	if (!ran) {
		error_convert(failure);
		return exit->code != 0 ? exit->code : UNKNOWN_EXIT;
	}
	if (exit->oom_killed)
		error_set(failure, ERROR_RESOURCE_EXHAUSTED, "cannot allocate memory");
	else
		error_set(failure, ERROR_UNKNOWN, "exit code: %d", exit->code);
	g_autofree char *json = g_strdup_printf("{\"Code\":%d}", exit->code);
	error_add_detail(*failure, "gatewayapi.ExitMessage", json);
	return exit->code;
}

static void note_failure(container *c, const GError *failure)
{
	g_mutex_lock(&c->mu);
	if (!c->failure)
		c->failure = g_error_copy(failure);
	g_mutex_unlock(&c->mu);
}

static gpointer process_thread(gpointer data)
{
	container_process *p = data;
	container *c = p->container;
	g_autoptr(GError) failure = NULL;
	struct step_exit exit = {.code = UNKNOWN_EXIT};
	struct work work = c->work;
	work.cancel = p->cancel;
	struct step modes = {0};
	bool ran = check_modes(p, &modes, &failure) && (p->first ? run_first(p, modes.insecure, &work, &exit, &failure)
								 : run_further(p, &work, &exit, &failure));
	int code = process_result(c, ran, &exit, &failure);
	if (failure)
		note_failure(c, failure);
	/* After its failure is noted: those of the processes that end because of it come later. */
	if (p->first)
		set_first(c, FIRST_ENDED, NULL);
	p->io.ended(p->io.data, code, failure);
	g_mutex_lock(&p->mu);
	p->ended = true;
	g_cond_broadcast(&p->changed);
	g_mutex_unlock(&p->mu);
	return NULL;
}

/* ---- start */

static bool fill_fields(container_process *p, const struct container_command *command, cancel *stop, GError **error)
{
	container *c = p->container;
	struct work work = c->work;
	work.cancel = stop;
	p->meta = message_copy(command->meta);
	step_fields_add_args(&p->fields, p->meta->args, p->meta->n_args);
	step_fields_add_limits(&p->fields, p->meta->ulimit, p->meta->n_ulimit);
	step_fields_add_env(&p->fields, p->meta->env, p->meta->n_env);
	step_fields_default_env(&p->fields, "PATH", c->windows ? WINDOWS_PATH : OCI_DEFAULT_PATH);
	if (p->io.terminal)
		step_fields_default_env(&p->fields, "TERM", "xterm");
	return step_fields_add_secrets(&p->fields, command->secrets, command->n_secrets, &work, error);
}

static container_process *process_new(container *c, const struct container_command *command,
				      const struct container_io *io, cancel *stop, GError **error)
{
	g_autoptr(container_process) p = g_new0(container_process, 1);
	p->refs = 1;
	p->container = c;
	p->io = *io;
	p->cancel = cancel_new(c->work.cancel);
	step_fields_init(&p->fields);
	g_mutex_init(&p->mu);
	g_cond_init(&p->changed);
	p->security = command->security;
	return fill_fields(p, command, stop, error) ? g_steal_pointer(&p) : NULL;
}

/* Requires mu. */
static bool start_locked(container *c, container_process *p, GError **error)
{
	if (c->released)
		return error_set(error, ERROR_FAILED_PRECONDITION, "container %s is released", c->id);
	container_join_processes(c, false);
	if (c->processes->len >= LIMIT_CONTAINER_PROCESSES)
		return error_set(error, ERROR_RESOURCE_EXHAUSTED, "container %s has %u processes, the maximum", c->id,
				 c->processes->len);
	p->first = c->first == FIRST_NONE;
	p->thread = thread_start("process", process_thread, p, error);
	if (!p->thread)
		return false;
	if (p->first)
		c->first = FIRST_STARTING;
	g_ptr_array_add(c->processes, process_ref(p));
	return true;
}

container_process *container_start(container *c, const struct container_command *command, const struct container_io *io,
				   cancel *stop, GError **error)
{
	g_autoptr(container_process) p = process_new(c, command, io, stop, error);
	if (!p)
		return NULL;
	g_mutex_lock(&c->mu);
	bool started = start_locked(c, p, error);
	g_mutex_unlock(&c->mu);
	return started ? g_steal_pointer(&p) : NULL;
}

static bool has_ended(container_process *p)
{
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&p->mu);
	return p->ended;
}

void container_join_processes(container *c, bool wait)
{
	for (guint i = 0; i < c->processes->len;) {
		container_process *p = g_ptr_array_index(c->processes, i);
		if (!wait && !has_ended(p)) {
			i++;
			continue;
		}
		g_ptr_array_steal_index_fast(c->processes, i);
		c->joining++;
		g_mutex_unlock(&c->mu);
		g_thread_join(p->thread);
		container_process_unref(p);
		g_mutex_lock(&c->mu);
		c->joining--;
		g_cond_broadcast(&c->changed);
		i = 0;
	}
}

/* ---- the handle */

/* Returns the handle when the process has started; NULL without an error if it has ended. */
static step_process *wait_for_start(container_process *p, cancel *stop, GError **error)
{
	g_auto(cancel_watch) watch = {0};
	cancel_watch_start(&watch, stop, &p->mu, &p->changed);
	g_mutex_lock(&p->mu);
	while (!p->process && !p->ended && !cancel_is_set(stop))
		g_cond_wait(&p->changed, &p->mu);
	step_process *process = p->process && !p->ended ? step_process_ref(p->process) : NULL;
	bool ended = p->ended;
	g_mutex_unlock(&p->mu);
	if (!process && !ended)
		cancel_check(stop, error);
	return process;
}

bool container_process_is_first(const container_process *p)
{
	return p->first;
}

bool container_process_signal(container_process *p, int signal, cancel *stop, GError **error)
{
	g_autoptr(GError) why = NULL;
	g_autoptr(step_process) process = wait_for_start(p, stop, &why);
	if (process)
		step_process_signal(process, signal, &why);
	if (!why)
		return true;
	g_propagate_error(error, g_steal_pointer(&why));
	return false;
}

bool container_process_resize(container_process *p, struct step_size size, cancel *stop, GError **error)
{
	g_autoptr(GError) why = NULL;
	g_autoptr(step_process) process = wait_for_start(p, stop, &why);
	if (process)
		step_process_resize(process, size, &why);
	if (!why)
		return true;
	g_propagate_error(error, g_steal_pointer(&why));
	return false;
}

void container_process_cancel(container_process *p)
{
	cancel_set(p->cancel, ERROR_CANCELED, NULL);
}
