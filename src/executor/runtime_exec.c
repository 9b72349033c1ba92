/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a further process in a step with an OCI runtime: its description is a file in memory, because it has secrets. */
#include "executor/executor_internal.h"
#include "executor/runtime.h"
#include "executor/spec.h"
#include "base/ident.h"
#include "base/scope.h"
#include "base/secret.h"
#include "os/file.h"
#include <sys/mman.h>

const struct step *runtime_step_of(void *first)
{
	const struct runtime_self *self = first;
	return self->call->step;
}

static char *process_json(const executor *e, const struct runtime_call *first, const struct step_run *run,
			  size_t *ret_n, GError **error)
{
	__attribute__((cleanup(passwd_user_clear))) struct passwd_user user = {0};
	const struct step *step = run->step;
	if (!passwd_resolve(step->root_fd, step->user ? step->user : "", &user, error))
		return NULL;
	const struct spec_input input = {
		.step = step,
		.user = &user,
		.apparmor_profile = e->apparmor_profile,
		.process_label = first->process_label,
		.all_caps = (const char *const *)e->caps,
		.terminal = run->io && run->io->terminal,
		.size = run->io ? run->io->size : (struct step_size){0},
	};
	return spec_process_json(&input, ret_n);
}

bool runtime_step_exec(executor *e, void *first, const struct step_run *run, struct step_exit *ret_exit, GError **error)
{
	const struct runtime_self *step = first;
	const struct bundle_runner *other = e->bundle_runner;
	char id[IDENT_SIZE];
	size_t n = 0;
	scoped_secret json = process_json(e, step->call, run, &n, error);
	if (!json)
		return false;
	scoped_fd fd = memfd_create("process.json", MFD_CLOEXEC);
	if (fd < 0 || !file_write_all(fd, json, n))
		return error_set_errno(error, errno, "write process.json");
	g_autofree char *path = g_strdup_printf("/proc/%d/fd/%d", (int)getpid(), fd);
	ident_new(id);
	struct runtime_call call = *step->call;
	call.exec_id = id;
	call.process_json = json;
	call.n_process_json = n;
	call.process_path = path;
	call.io = run->io;
	call.process = run->process;
	call.output = run->output;
	call.output_data = run->output_data;
	call.cancel = run->work->cancel;
	ret_exit->oom_killed = false;
	return other ? other->run(other->self, &call, &ret_exit->code, error)
		     : runtime_run(&call, &ret_exit->code, error);
}
