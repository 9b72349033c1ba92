/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a step with buildkit-runc: takes a waiting process, then prepares user, mount stubs, working directory, mounts
 * as descriptors and the plan, forwards output until it exits, and removes the stubs. Nothing is written to disk, and
 * no mount is visible in the daemon's mount namespace.
 */
#include "executor/executor_internal.h"
#include "base/text.h"
#include "executor/runner_process.h"
#include "base/limits.h"
#include "base/scope.h"
#include "os/mount.h"
#include "os/path.h"
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#define ORPHAN_MS 2000

struct prepared {
	executor *e;    /* borrowed */
	int *mount_fds; /* owned; -1: tmpfs */
	size_t n_mounts;
	int proc_fd;          /* owned; /proc of the daemon, for a step without a pid namespace; -1 */
	GPtrArray *held;      /* of names for executor_release */
	char *hosts, *resolv; /* owned */
	struct passwd_user user;
	stubs *stubs; /* owned */
};

static void prepared_clear(struct prepared *p)
{
	stubs_free(p->stubs);
	for (size_t i = 0; i < p->n_mounts; i++)
		fd_close(&p->mount_fds[i]);
	for (guint i = 0; i < p->held->len; i++)
		executor_release(p->e, g_ptr_array_index(p->held, i));
	g_ptr_array_unref(p->held);
	fd_close(&p->proc_fd);
	g_free(p->mount_fds);
	g_free(p->hosts);
	g_free(p->resolv);
	passwd_user_clear(&p->user);
}

/* ---- mounts as descriptors */

static int open_selected(int fd, const char *selector, GError **error)
{
	int selected = path_open_errno(fd, selector, O_PATH | O_CLOEXEC, PATH_IN_ROOT);
	if (selected < 0)
		error_set_errno(error, -selected, "open %s", selector + 1);
	return selected;
}

/*
 * Returns a detached copy of a mount, or of the path in it that the selector names. The mount uses the opened path; no
 * name is resolved twice (CVE-2024-23651). Before Linux 6.15 a detached mount cannot be copied: as a whole it is used
 * itself, for a part it is attached first.
 */
static int take_mount(struct prepared *p, const struct step_mount *m, GError **error)
{
	g_autofree char *selector = executor_selector(m);
	scoped_fd selected = selector ? open_selected(m->fd, selector, error) : fcntl(m->fd, F_DUPFD_CLOEXEC, 3);
	if (selected < 0 && !selector)
		error_set_errno(error, errno, "mount on %s", m->dest);
	if (selected < 0)
		return -1;
	int clone = mount_clone(selected, true, NULL);
	if (clone >= 0)
		return clone;
	if (!selector)
		return fd_steal(&selected);
	char *name = executor_hold(p->e, m->fd, error);
	if (!name)
		return -1;
	g_ptr_array_add(p->held, name);
	return mount_clone(selected, true, error);
}

static bool is_directory(int fd)
{
	struct stat st;
	return fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool prepare_mounts(struct prepared *p, const struct step *step, GError **error)
{
	p->mount_fds = g_new(int, step->n_mounts + 1);
	for (; p->n_mounts < step->n_mounts; p->n_mounts++) {
		const struct step_mount *m = &step->mounts[p->n_mounts];
		int fd = m->type == STEP_MOUNT_TREE ? take_mount(p, m, error) : -1;
		if (m->type == STEP_MOUNT_TREE && fd < 0)
			return false;
		p->mount_fds[p->n_mounts] = fd;
		if (!executor_is_in_root(step, p->n_mounts))
			continue;
		enum stub_kind kind = executor_stub_kind(m, fd < 0 || is_directory(fd));
		if (!stubs_plan(p->stubs, m->dest, kind, error)) {
			p->n_mounts++; /* its descriptor is closed with the others */
			return false;
		}
	}
	return true;
}

/* ---- the parts of the plan */

static char *resolv_text(executor *e, const struct step *step, GError **error)
{
	const char *name = names_files_resolv(&e->names, step->network == STEP_NETWORK_HOST, error);
	g_autoptr(GBytes) bytes = name ? path_read(e->fd, name, MIB(1), PATH_BENEATH, error) : NULL;
	return bytes ? text_from_bytes(bytes) : NULL;
}

static int clone_proc(GError **error)
{
	scoped_fd proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (proc >= 0)
		return mount_clone(proc, true, error);
	error_set_errno(error, errno, "open /proc");
	return -1;
}

static bool prepare(struct prepared *p, const struct step *step, GError **error)
{
	p->held = g_ptr_array_new();
	p->resolv = resolv_text(p->e, step, error);
	if (!p->resolv || !passwd_resolve(step->root_fd, step->user ? step->user : "", &p->user, error))
		return false;
	if (p->e->no_process_sandbox && (p->proc_fd = clone_proc(error)) < 0)
		return false;
	p->hosts = names_hosts_text(step->hostname, step->hosts, step->n_hosts);
	p->stubs = stubs_new(step->root_fd, step->remove_stubs_recursive);
	return stubs_plan(p->stubs, "/etc/resolv.conf", STUB_FILE, error) &&
	       stubs_plan(p->stubs, "/etc/hosts", STUB_FILE, error) && prepare_mounts(p, step, error) &&
	       executor_ensure_cwd(step, &p->user, error) && stubs_make(p->stubs, error);
}

static step_plan *make_plan(const struct prepared *p, const struct step_run *run, const struct runner_streams *streams,
			    GError **error)
{
	const struct step *step = run->step;
	const executor *e = p->e;
	struct step_plan_input input = {
		.spec =
			{
				.step = step,
				.user = &p->user,
				.apparmor_profile = e->apparmor_profile,
				.process_label = run->labels->process,
				.mount_label = run->labels->mount,
				.all_caps = (const char *const *)e->caps,
				.no_devices = e->no_devices,
				.no_process_sandbox = e->no_process_sandbox,
				.cgroup_namespace = e->cgroups.v2,
				.network = run->network,
				.free_loop = step->insecure ? spec_free_loop() : 0,
			},
		.hosts = p->hosts,
		.resolv = p->resolv,
		.mount_fds = p->mount_fds,
		.proc_fd = p->proc_fd,
	};
	runner_streams_plan(streams, &input);
	return executor_seccomp_program(p->e, &input.seccomp, error) ? step_plan_new(&input, error) : NULL;
}

static bool run_process(const struct prepared *p, const struct step_run *run, struct runner_step *s,
			struct step_exit *ret_exit, GError **error)
{
	__attribute__((cleanup(runner_process_clear))) struct runner_process process;
	if (!runner_process_init(&process, p->e, run, s, error))
		return false;
	g_autoptr(step_plan) plan = make_plan(p, run, &process.streams, error);
	bool ended = plan && runner_process_run(&process, plan, ret_exit, error);
	if (!ended) {
		/* Further processes end before the handle does. */
		runner_kill(s);
		cgroup_kill(&p->e->cgroups, s->cgroup);
	}
	return ended;
}

/*
 * A step that cleared its death signal would continue without the runner. The process is the first of its pid
 * namespace, so killing it kills all others.
 */
static void end_orphan(executor *e, const struct runner_step *s)
{
	struct pollfd end = {.fd = s->pidfd, .events = POLLIN};
	runner_kill(s);
	cgroup_kill(&e->cgroups, s->cgroup);
	while (poll(&end, 1, ORPHAN_MS) < 0 && errno == EINTR)
		continue;
	cgroup_remove(&e->cgroups, s->cgroup, ORPHAN_MS);
}

bool runner_step_run(executor *e, const struct step_run *run, struct step_exit *ret_exit, GError **error)
{
	__attribute__((cleanup(runner_step_done))) struct runner_step process = {.socket_fd = -1, .pidfd = -1};
	__attribute__((cleanup(prepared_clear))) struct prepared p = {.e = e, .proc_fd = -1};
	if (!prepare(&p, run->step, error) || !runner_take(e->runner, run->cgroup_parent, &process, error))
		return false;
	executor_usage_begin(e, run->step, process.cgroup);
	bool ended = run_process(&p, run, &process, ret_exit, error);
	/* The runner removes the cgroup when the socket is closed; but it must not remain when its parent is removed. */
	bool removes = !ended || !parents_is_default(e->parents, run->cgroup_parent);
	if (run->step->usage)
		resource_sampler_end(e->usage, run->step->usage, removes ? -1 : fd_steal(&process.socket_fd));
	if (!ended)
		end_orphan(e, &process);
	else if (removes)
		cgroup_remove(&e->cgroups, process.cgroup, ORPHAN_MS);
	return ended && stubs_remove(p.stubs, error);
}

/* ---- further processes */

const struct step *runner_step_of(void *first)
{
	const struct runner_process *p = first;
	return p->run->step;
}

static step_plan *make_join_plan(const struct runner_process *p, const struct passwd_user *user,
				 const struct runner_process *first, GError **error)
{
	const executor *e = p->e;
	struct step_plan_input input = {
		.spec =
			{
				.step = p->run->step,
				.user = user,
				.apparmor_profile = e->apparmor_profile,
				.process_label = first->run->labels->process,
				.all_caps = (const char *const *)e->caps,
				.no_process_sandbox = e->no_process_sandbox,
				.cgroup_namespace = e->cgroups.v2,
				.network = first->run->network,
			},
	};
	runner_streams_plan(&p->streams, &input);
	return executor_seccomp_program(p->e, &input.seccomp, error)
		       ? step_plan_new_join(&input, first->step->pidfd, error)
		       : NULL;
}

bool runner_step_exec(executor *e, void *first, const struct step_run *run, struct step_exit *ret_exit, GError **error)
{
	const struct runner_process *step = first;
	__attribute__((cleanup(passwd_user_clear))) struct passwd_user user = {0};
	__attribute__((cleanup(runner_step_done))) struct runner_step s = {.socket_fd = -1, .pidfd = -1};
	__attribute__((cleanup(runner_process_clear))) struct runner_process process;
	if (!runner_process_init(&process, e, run, &s, error))
		return false;
	process.joins = true;
	if (!passwd_resolve(run->step->root_fd, run->step->user ? run->step->user : "", &user, error) ||
	    !runner_join(e->runner, step->step, &s, error))
		return false;
	g_autoptr(step_plan) plan = make_join_plan(&process, &user, step, error);
	return plan && runner_process_run(&process, plan, ret_exit, error);
}
