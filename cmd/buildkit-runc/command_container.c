/* SPDX-License-Identifier: Apache-2.0 */
/* Commands for existing containers: state, kill, delete, features. */
#include "cgroup.h"
#include "command.h"
#include "container.h"
#include "fail.h"
#include "names.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DEATH_TRIES 1000
#define DEATH_PAUSE_US 10000

/* Frees its argument. */
static void print(json_t *value)
{
	if (value == NULL || json_dumpf(value, stdout, JSON_INDENT(2)) != 0)
		fail(PHASE_PLAN, ENOMEM, "write standard output");
	putchar('\n');
	if (fflush(stdout) != 0)
		fail(PHASE_PLAN, errno, "write standard output");
	json_decref(value);
}

int command_state(const struct command_options *o)
{
	struct container c;
	container_load(&c, o->root, o->args[0]);
	const char *status = container_status(&c);
	json_t *state = json_pack("{s:s, s:s, s:i, s:s, s:s, s:s, s:s}", "ociVersion", "1.1.0", "id", c.id, "pid",
				  strcmp(status, "stopped") != 0 ? (int)c.pid : 0, "status", status, "bundle", c.bundle,
				  "rootfs", c.rootfs, "created", c.created);
	if (state != NULL && c.annotations != NULL)
		json_object_set(state, "annotations", c.annotations);
	print(state);
	return 0;
}

int command_kill(const struct command_options *o)
{
	struct container c;
	const char *name = o->n_args > 1 ? o->args[1] : "SIGTERM";
	int number = names_signal(name);
	container_load(&c, o->root, o->args[0]);
	if (number < 0)
		fail(PHASE_PLAN, 0, "unknown signal \"%s\"", name);
	if (o->all) {
		struct cgroups all;
		cgroups_find(&all);
		cgroup_signal(&all, c.cgroup, number);
		return 0;
	}
	if (!container_is_alive(&c))
		fail(PHASE_PLAN, 0, "container not running");
	if (kill(c.pid, number) != 0)
		fail(PHASE_PLAN, errno, "signal %d to %s", number, c.id);
	return 0;
}

static void end_all(const struct container *c, const struct cgroups *all)
{
	if (container_is_alive(c))
		kill(c->pid, SIGKILL);
	for (int i = 0; i < DEATH_TRIES; i++) {
		if (!container_is_alive(c) && (c->cgroup[0] == '\0' || cgroup_remove(all, c->cgroup) == 0))
			return;
		if (c->cgroup[0] != '\0')
			cgroup_signal(all, c->cgroup, SIGKILL);
		usleep(DEATH_PAUSE_US);
	}
	fail(PHASE_CGROUP, EBUSY, "remove %s", c->cgroup);
}

int command_delete(const struct command_options *o)
{
	struct container c;
	struct cgroups all;
	if (!container_try_load(&c, o->root, o->args[0])) {
		if (o->force && c.dir_fd < 0)
			return 0;
		if (c.dir_fd < 0)
			fail(PHASE_PLAN, 0, "container does not exist");
		container_remove(&c); /* its create command was killed */
		return 0;
	}
	if (!o->force && strcmp(container_status(&c), "running") == 0)
		fail(PHASE_PLAN, 0, "cannot delete container %s that is not stopped: running", c.id);
	cgroups_find(&all);
	end_all(&c, &all);
	container_remove(&c);
	return 0;
}

static json_t *all_of(const char *(*at)(unsigned i))
{
	json_t *list = json_array();
	for (unsigned i = 0; at(i) != NULL; i++)
		json_array_append_new(list, json_string(at(i)));
	return list;
}

/* https://github.com/opencontainers/runtime-spec/blob/main/features.md */
int command_features(const struct command_options *o)
{
	(void)o;
	static const char *const actions[] = {"SCMP_ACT_ALLOW",        "SCMP_ACT_ERRNO",       "SCMP_ACT_KILL",
					      "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_LOG",
					      "SCMP_ACT_TRACE",        "SCMP_ACT_TRAP"};
	json_t *names = json_array();
	for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
		json_array_append_new(names, json_string(actions[i]));
	print(json_pack("{s:s, s:s, s:[], s:{s:o, s:o, s:{s:b, s:b, s:b, s:b}, s:{s:b, s:o}, s:{s:b}, s:{s:b}}}",
			"ociVersionMin", "1.0.0", "ociVersionMax", "1.1.0", "hooks", "linux", "namespaces",
			all_of(names_namespace_at), "capabilities", all_of(names_capability_at), "cgroup", "v1", 1,
			"v2", 1, "systemd", 0, "systemdUser", 0, "seccomp", "enabled", 1, "actions", names, "apparmor",
			"enabled", 1, "selinux", "enabled", 1));
	return 0;
}
