/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a step with an OCI runtime: bundle directory with the root and mount sources attached, user, working directory,
 * mount stubs, spec, one run of the runtime, then removal of cgroup, state, stubs and bundle. The bundle is created
 * first and removed last, so that leftover steps of a crash are found by their bundles alone.
 */
#include "executor/executor_internal.h"
#include "executor/bundle.h"
#include "executor/runtime.h"
#include "executor/spec.h"
#include "base/ident.h"
#include "base/scope.h"
#include "base/secret.h"
#include "os/path.h"
#include "os/tree.h"
#include <fcntl.h>
#include <sys/stat.h>

static const char *attach_mount(bundle *b, const struct step_mount *m, bool *ret_directory, GError **error)
{
	const char *whole = m->shared ? bundle_bind(b, m->fd, ret_directory, error)
				      : bundle_attach(b, m->fd, NULL, ret_directory, error);
	g_autofree char *selector = executor_selector(m);
	if (!whole || !selector)
		return whole;
	/* The mount uses the opened path; no name is resolved twice (CVE-2024-23651). */
	scoped_fd fd = path_open_errno(m->fd, selector, O_PATH | O_CLOEXEC, PATH_IN_ROOT);
	if (fd < 0)
		return error_null_errno(error, -fd, "open %s", m->selector);
	return bundle_bind(b, fd, ret_directory, error);
}

static bool attach_mounts(const struct step *step, bundle *b, stubs *s, const char **ret_sources, GError **error)
{
	for (size_t i = 0; i < step->n_mounts; i++) {
		const struct step_mount *m = &step->mounts[i];
		bool directory = true;
		if (m->type == STEP_MOUNT_TREE) {
			ret_sources[i] = attach_mount(b, m, &directory, error);
			if (!ret_sources[i])
				return false;
		}
		if (executor_is_in_root(step, i) && !stubs_plan(s, m->dest, executor_stub_kind(m, directory), error))
			return false;
	}
	return true;
}

/* A tmpfs gets the mode of the directory below it. Some runtimes do that themselves, others only what the spec says. */
static void find_tmpfs_modes(const struct step *step, mode_t *ret_modes)
{
	for (size_t i = 0; i < step->n_mounts; i++) {
		const struct step_mount *m = &step->mounts[i];
		struct stat st;
		if (m->type != STEP_MOUNT_TMPFS || !executor_is_in_root(step, i))
			continue;
		scoped_fd fd = path_open_errno(step->root_fd, m->dest, O_PATH | O_CLOEXEC, PATH_IN_ROOT);
		if (fd >= 0 && fstat(fd, &st) == 0)
			ret_modes[i] = st.st_mode & 07777;
	}
}

static char *hosts_path(const executor *e, const struct step *step, const bundle *b, GError **error)
{
	if (!executor_needs_own_hosts(step))
		return g_strconcat(e->path, "/" NAMES_HOSTS_FILE, NULL);
	g_autofree char *text = names_hosts_text(step->hostname, step->hosts, step->n_hosts);
	if (!names_write_file(bundle_fd(b), "hosts", text, error))
		return NULL;
	return g_strconcat(bundle_path(b), "/hosts", NULL);
}

static bool prepare(executor *e, const struct step_run *run, bundle *b, stubs *s, const char *cgroup_path,
		    GError **error)
{
	const struct step *step = run->step;
	__attribute__((cleanup(passwd_user_clear))) struct passwd_user user = {0};
	g_autofree const char **sources = g_new0(const char *, step->n_mounts + 1);
	const char *resolv = names_files_resolv(&e->names, step->network == STEP_NETWORK_HOST, error);
	if (!resolv || !passwd_resolve(step->root_fd, step->user ? step->user : "", &user, error))
		return false;
	if (!stubs_plan(s, "/etc/resolv.conf", STUB_FILE, error) || !stubs_plan(s, "/etc/hosts", STUB_FILE, error) ||
	    !attach_mounts(step, b, s, sources, error) || !executor_ensure_cwd(step, &user, error) ||
	    !stubs_make(s, error))
		return false;
	g_autofree mode_t *tmpfs_modes = g_new0(mode_t, step->n_mounts + 1);
	find_tmpfs_modes(step, tmpfs_modes);
	g_autofree char *hosts = hosts_path(e, step, b, error);
	if (!hosts)
		return false;
	g_autofree char *resolv_path = g_strconcat(e->path, "/", resolv, NULL);
	g_autofree char *root_path = g_strconcat(bundle_path(b), "/" BUNDLE_ROOT, NULL);
	const struct spec_input input = {
		.step = step,
		.root_path = e->bundle_runner ? root_path : NULL,
		.user = &user,
		.cgroup_path = cgroup_path,
		.resolv_path = resolv_path,
		.hosts_path = hosts,
		.sources = sources,
		.tmpfs_modes = tmpfs_modes,
		.seccomp = e->seccomp,
		.apparmor_profile = e->apparmor_profile,
		.process_label = run->labels->process,
		.mount_label = run->labels->mount,
		.all_caps = (const char *const *)e->caps,
		.rootless = e->rootless,
		.no_devices = e->no_devices,
		.no_process_sandbox = e->no_process_sandbox,
		.cgroup_namespace = e->cgroups.v2,
		.network = run->network,
		.terminal = step->io && step->io->terminal,
		.size = step->io ? step->io->size : (struct step_size){0},
		.free_loop = step->insecure ? spec_free_loop() : 0,
	};
	size_t n;
	scoped_secret json = spec_json(&input, &n);
	/*
	 * The file names the cgroup for a later daemon; config.json contains secrets of the environment, so it is kept
	 * in memory.
	 */
	return names_write_file(bundle_fd(b), BUNDLE_CGROUP_FILE, cgroup_path, error) &&
	       bundle_write_secret(b, "config.json", json, n, error);
}

/* The first step asks the runtime; the answer is kept. */
static bool find_keep(executor *e, cancel *c, bool *ret_keep, GError **error)
{
	int known = g_atomic_int_get(&e->keep);
	if (known == RUNTIME_KEEP_UNKNOWN) {
		bool keeps = true;
		if (!e->bundle_runner && !runtime_knows_keep(e->binary, c, &keeps, error))
			return false;
		known = keeps ? RUNTIME_KEEPS : RUNTIME_KEEPS_NOT;
		g_atomic_int_set(&e->keep, known);
	}
	*ret_keep = known == RUNTIME_KEEPS;
	return true;
}

static bool run_prepared(executor *e, const struct runtime_call *call, struct step_exit *ret_exit, GError **error)
{
	const struct bundle_runner *other = e->bundle_runner;
	executor_usage_begin(e, call->step, call->cgroup_path);
	bool ran = other ? other->run(other->self, call, &ret_exit->code, error)
			 : runtime_run(call, &ret_exit->code, error);
	if (call->step->usage)
		resource_sampler_end(e->usage, call->step->usage, -1);
	ret_exit->oom_killed = ran && ret_exit->code != 0 && cgroup_oom_killed(&e->cgroups, call->cgroup_path);
	if (other)
		other->end(other->self, call->id);
	cgroup_remove(&e->cgroups, call->cgroup_path, 2000);
	tree_remove_at(e->state_fd, call->id, NULL);
	return ran;
}

bool runtime_step_run(executor *e, const struct step_run *run, struct step_exit *ret_exit, GError **error)
{
	char id[IDENT_SIZE];
	const struct step *step = run->step;
	bool keep;
	if (!find_keep(e, run->work->cancel, &keep, error))
		return false;
	ident_new(id);
	g_autoptr(bundle) b = bundle_new(e->fd, e->path, id, error);
	if (!b || !bundle_attach(b, step->root_fd, BUNDLE_ROOT, NULL, error))
		return false;
	g_autoptr(stubs) s = stubs_new(step->root_fd, step->remove_stubs_recursive);
	g_autofree char *cgroup_path = cgroup_path_for(run->cgroup_parent, id);
	if (!prepare(e, run, b, s, cgroup_path, error))
		return false;
	const struct runtime_call call = {
		.binary = e->binary,
		.state_root = e->state_path,
		.bundle = bundle_path(b),
		.id = id,
		.step = step,
		.process_label = run->labels->process,
		.io = run->io,
		.process = run->process,
		.output = run->output,
		.output_data = run->output_data,
		.cgroups = &e->cgroups,
		.cgroup_path = cgroup_path,
		.keep = keep,
		.cancel = run->work->cancel,
	};
	return run_prepared(e, &call, ret_exit, error) && stubs_remove(s, error);
}
