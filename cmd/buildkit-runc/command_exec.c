/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exec: runs another process in a container. It joins the namespaces of the container's process by pidfd and resolves
 * no path of the container before that, because the container may have changed its root and /proc.
 */
#include "cgroup.h"
#include "command.h"
#include "config.h"
#include "container.h"
#include "fail.h"
#include "launch.h"
#include "names.h"
#include "process_file.h"
#include "sys.h"
#include "wait.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>

static const struct {
	const char *file;
	uint64_t flag;
} kinds[] = {
	{"user", CLONE_NEWUSER}, {"mnt", CLONE_NEWNS},  {"pid", CLONE_NEWPID},       {"net", CLONE_NEWNET},
	{"ipc", CLONE_NEWIPC},   {"uts", CLONE_NEWUTS}, {"cgroup", CLONE_NEWCGROUP},
};

#define N_KINDS (sizeof kinds / sizeof *kinds)

/* Returns the namespaces in which the container differs from the caller. */
static uint64_t other_namespaces(pid_t pid)
{
	uint64_t flags = 0;
	for (size_t i = 0; i < N_KINDS; i++) {
		char path[64], own[64];
		struct stat theirs, ours;
		snprintf(path, sizeof path, "/proc/%d/ns/%s", (int)pid, kinds[i].file);
		snprintf(own, sizeof own, "/proc/self/ns/%s", kinds[i].file);
		if (stat(path, &theirs) != 0 || stat(own, &ours) != 0)
			fail(PHASE_NAMESPACE, errno, "stat %s", path);
		if (theirs.st_ino != ours.st_ino || theirs.st_dev != ours.st_dev)
			flags |= kinds[i].flag;
	}
	return flags;
}

/*
 * On old kernels, where a pidfd is not accepted by setns (Linux 5.8) or does not exist (5.3). The files are opened before
 * the process is seen to be alive, so that they belong to it.
 */
static void join_files(struct plan *p, uint32_t first_fd, const struct container *container, int *ret_fds)
{
	static struct plan_join joins[N_KINDS];
	uint64_t flags = 0;
	p->n_joins = 0;
	for (size_t i = 0; i < N_KINDS; i++) {
		char path[64];
		snprintf(path, sizeof path, "/proc/%d/ns/%s", (int)container->pid, kinds[i].file);
		ret_fds[i] = open(path, O_RDONLY | O_CLOEXEC);
		if (ret_fds[i] < 0 && errno != ENOENT)
			fail(PHASE_NAMESPACE, errno, "open %s", path);
	}
	if (container_is_alive(container))
		flags = other_namespaces(container->pid);
	if (!container_is_alive(container))
		fail(PHASE_PLAN, 0, "cannot exec in a stopped container");
	/* The mount namespace last: it changes what /proc is. */
	for (int pass = 0; pass < 2; pass++)
		for (uint32_t i = 0; i < N_KINDS; i++)
			if ((flags & kinds[i].flag) != 0 && (kinds[i].flag == CLONE_NEWNS) == (pass == 1))
				joins[p->n_joins++] = (struct plan_join){kinds[i].flag, first_fd + i};
	p->joins = joins;
}

static void join_all(struct plan *p, struct config *c, const struct container *container, int *ret_pidfd)
{
	static struct plan_join joins[2];
	*ret_pidfd = pidfd_open(container->pid, 0);
	if (*ret_pidfd < 0 || !container_is_alive(container))
		fail(PHASE_PLAN, 0, "cannot exec in a stopped container");
	uint64_t flags = other_namespaces(container->pid);
	/* The user namespace is joined first, by itself. */
	p->n_joins = 0;
	if ((flags & CLONE_NEWUSER) != 0)
		joins[p->n_joins++] = (struct plan_join){CLONE_NEWUSER, c->n_sources + 3};
	if ((flags & ~(uint64_t)CLONE_NEWUSER) != 0)
		joins[p->n_joins++] = (struct plan_join){flags & ~(uint64_t)CLONE_NEWUSER, c->n_sources + 3};
	p->joins = joins;
}

/* Builds the process from the container's config.json and the options given here. */
static void read_arguments(struct plan *p, const struct command_options *o)
{
	const char **env = json_room(p->env.n + o->env.n, sizeof *env);
	if (o->n_args < 2)
		fail(PHASE_PLAN, 0, "process args cannot be empty");
	p->args = (struct plan_strings){(const char **)(uintptr_t)(o->args + 1), (uint32_t)o->n_args - 1};
	for (uint32_t i = 0; i < p->env.n; i++)
		env[i] = p->env.list[i];
	for (uint32_t i = 0; i < o->env.n; i++)
		env[p->env.n + i] = o->env.list[i];
	p->env = (struct plan_strings){env, p->env.n + o->env.n};
	p->terminal = o->tty;
	if (o->cwd != NULL)
		p->cwd = o->cwd;
	if (p->cwd[0] != '/')
		fail(PHASE_PLAN, 0, "Cwd must be an absolute path");
	if (o->no_new_privs)
		p->no_new_privs = 1;
	for (uint32_t i = 0; i < o->caps.n; i++) {
		int cap = names_capability(o->caps.list[i]);
		if (cap < 0)
			fail(PHASE_PLAN, 0, "unknown capability %s", o->caps.list[i]);
		for (int k = 0; k < 5; k++)
			if (k != PLAN_CAPS_INHERITABLE && k != PLAN_CAPS_AMBIENT)
				p->caps[k] |= (uint64_t)1 << cap;
	}
}

static void read_user(struct plan *p, const char *user)
{
	char *copy = strdup(user), *group = copy != NULL ? strchr(copy, ':') : NULL;
	int64_t uid, gid = 0;
	if (group != NULL)
		*group++ = '\0';
	if (copy == NULL || !names_number(copy, 0, UINT32_MAX - 1, &uid) ||
	    (group != NULL && !names_number(group, 0, UINT32_MAX - 1, &gid)))
		fail(PHASE_PLAN, 0, "--user %s: not UID[:GID]", user);
	free(copy);
	p->uid = (uint32_t)uid;
	p->gid = (uint32_t)gid;
}

/* Keeps only the parts of the container's plan that belong to a process. */
static void forget_tree(struct plan *p)
{
	p->root_fd = PLAN_NO_FD;
	p->namespaces = 0;
	p->n_mounts = p->n_devices = p->n_sysctls = 0;
	p->masked.n = p->readonly.n = 0;
	p->hostname = p->domainname = "";
	p->default_devices = 0;
	p->n_uid_maps = p->n_gid_maps = 0;
}

int command_exec(const struct command_options *o)
{
	static struct config c;
	struct container container;
	struct cgroups all;
	struct cgroup cgroup;
	bool socket = o->console_socket != NULL && o->console_socket[0] != '\0';
	container_load(&container, o->root, o->args[0]);
	config_load(&c, container.bundle);
	struct plan *p = &c.plan;
	c.n_sources = 0;
	forget_tree(p);
	if (o->process != NULL)
		config_process(p, json_file(o->process));
	else
		read_arguments(p, o);
	if (o->user != NULL)
		read_user(p, o->user);
	if (p->terminal != 0 && o->detach != socket)
		fail(PHASE_PLAN, 0,
		     "--console-socket requires --detach and a terminal, and a detached terminal requires "
		     "--console-socket");
	p->preserve = (uint32_t)o->preserve;
	process_stdio(p, &c);
	int *fds = json_room(3 + N_KINDS, sizeof *fds);
	memcpy(fds, process_fds(&c), 3 * sizeof *fds);
	if (sys_is_old()) {
		sys_proc();
		join_files(p, c.n_sources + 3, &container, fds + 3);
	} else {
		join_all(p, &c, &container, &fds[3]);
	}
	cgroups_find(&all);
	bool placed = cgroup_open(&all, container.cgroup, &cgroup) == 0;
	struct launch l = {.plan = p, .fds = fds, .cgroup = placed ? &cgroup : NULL, .gate_fd = -1};
	if (!o->detach)
		wait_prepare();
	pid_t pid = launch(&l);
	if (l.console_fd >= 0 && socket)
		process_send_console(o->console_socket, l.console_fd);
	process_write_pid(o->pid_file, pid);
	return o->detach ? 0 : wait_for(pid, l.console_fd);
}
