/* SPDX-License-Identifier: Apache-2.0 */
/* The commands create, run and start. */
#include "cgroup.h"
#include "command.h"
#include "config.h"
#include "container.h"
#include "fail.h"
#include "launch.h"
#include "process_file.h"
#include "sys.h"
#include "wait.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct created {
	struct container container;
	struct cgroups cgroups;
	struct cgroup cgroup;
	int console_fd;
};

/*
 * Resolves linux.cgroupsPath: absolute paths start at the mount point of the hierarchies, relative ones at the caller's
 * cgroup. Default: the container's id.
 */
static const char *cgroup_path(const struct config *c, const struct cgroups *all, const char *id)
{
	char own[256] = "", *path;
	if (c->cgroups_path[0] == '/')
		return c->cgroups_path;
	if (all->n > 0)
		cgroup_own(&all->list[all->unified >= 0 ? all->unified : 0], own);
	if (asprintf(&path, "%s/%s", strcmp(own, "/") != 0 ? own : "",
		     c->cgroups_path[0] != '\0' ? c->cgroups_path : id) < 0)
		fail(PHASE_PLAN, ENOMEM, "allocate a cgroup path");
	return path;
}

static void check_terminal(const struct plan *p, const struct command_options *o, bool detached)
{
	bool socket = o->console_socket != NULL && o->console_socket[0] != '\0';
	if (p->terminal != 0 && detached && !socket)
		fail(PHASE_PLAN, 0, "cannot allocate tty if runc will detach without setting console socket");
	if (socket && (p->terminal == 0 || !detached))
		fail(PHASE_PLAN, 0, "cannot use console socket if runc will not detach or allocate tty");
}

struct sources {
	const struct config *config;
	int *fds;
};

static void clone_sources(void *data)
{
	const struct sources *s = data;
	config_clone(s->config, s->fds);
}

static void create(struct created *r, const struct command_options *o, bool detached, bool gated)
{
	static struct config c;
	const char *given = o->bundle != NULL ? o->bundle : ".";
	char *bundle = realpath(given, NULL);
	if (bundle == NULL)
		fail(PHASE_PLAN, errno, "bundle %s", given);
	container_check_id(o->args[0]);
	config_load(&c, bundle);
	check_terminal(&c.plan, o, detached);
	c.plan.preserve = (uint32_t)o->preserve;
	if (!o->no_keyring)
		c.plan.keyring = o->args[0];
	process_stdio(&c.plan, &c);
	container_make(&r->container, o->root, o->args[0]);
	command_undo(&r->container, NULL);
	cgroups_find(&r->cgroups);
	r->container.cgroup = cgroup_path(&c, &r->cgroups, o->args[0]);
	int result = cgroup_make(&r->cgroups, r->container.cgroup, &r->cgroup);
	command_undo(&r->container, r->container.cgroup);
	if (result != 0)
		fail(PHASE_CGROUP, -result, "make %s", r->container.cgroup);
	int gate = gated ? container_make_start_fifo(&r->container) : -1;
	struct sources sources = {&c, process_fds(&c)};
	struct launch l = {.plan = &c.plan,
			   .fds = sources.fds,
			   .open_mounts = clone_sources,
			   .data = &sources,
			   .cgroup = &r->cgroup,
			   .limit = true,
			   .gate_fd = gate,
			   .staging = c.rootfs};
	r->container.pid = launch(&l);
	r->container.started = container_start_time(r->container.pid);
	r->container.bundle = bundle;
	r->container.rootfs = c.rootfs;
	r->container.annotations = json_member(c.root, "annotations", JSON_OBJECT);
	r->console_fd = l.console_fd;
	container_save(&r->container);
	if (r->console_fd >= 0 && o->console_socket != NULL)
		process_send_console(o->console_socket, r->console_fd);
	process_write_pid(o->pid_file, r->container.pid);
}

int command_create(const struct command_options *o)
{
	static struct created r;
	create(&r, o, true, true);
	return 0;
}

int command_run(const struct command_options *o)
{
	static struct created r;
	if (!o->detach)
		wait_prepare();
	create(&r, o, o->detach, true);
	if (!container_start(&r.container))
		fail(PHASE_PLAN, errno, "start %s", o->args[0]);
	if (o->detach)
		return 0;
	int code = wait_for(r.container.pid, r.console_fd);
	for (int i = 0; i < 500 && !o->keep && cgroup_remove(&r.cgroups, r.container.cgroup) != 0; i++) {
		cgroup_signal(&r.cgroups, r.container.cgroup, SIGKILL);
		usleep(2000);
	}
	if (!o->keep)
		container_remove(&r.container);
	return code;
}

int command_start(const struct command_options *o)
{
	struct container c;
	container_load(&c, o->root, o->args[0]);
	const char *status = container_status(&c);
	if (strcmp(status, "running") == 0)
		fail(PHASE_PLAN, 0, "cannot start an already running container");
	if (strcmp(status, "stopped") == 0)
		fail(PHASE_PLAN, 0, "cannot start a container that has stopped");
	if (!container_start(&c))
		fail(PHASE_PLAN, errno, "start %s", c.id);
	return 0;
}
