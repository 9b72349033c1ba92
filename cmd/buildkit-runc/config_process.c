/* SPDX-License-Identifier: Apache-2.0 */
/* config.md, "Process". */
#include "config.h"
#include "fail.h"
#include "names.h"
#include <string.h>

static void read_user(struct plan *p, const json_t *process)
{
	const json_t *user = json_member(process, "user", JSON_OBJECT);
	const json_t *groups = json_member(user, "additionalGids", JSON_ARRAY);
	p->uid = (uint32_t)json_number(user, "uid", 0, 0, UINT32_MAX - 1);
	p->gid = (uint32_t)json_number(user, "gid", 0, 0, UINT32_MAX - 1);
	p->umask = (uint32_t)json_number(user, "umask", 0022, 0, 07777);
	p->n_groups = (uint32_t)json_array_size(groups);
	p->groups = json_room(p->n_groups, sizeof *p->groups);
	for (uint32_t i = 0; i < p->n_groups; i++) {
		const json_t *group = json_array_get(groups, i);
		if (!json_is_integer(group) || json_integer_value(group) < 0 || json_integer_value(group) >= UINT32_MAX)
			fail(PHASE_PLAN, 0, "config.json: additionalGids must contain only group ids");
		p->groups[i] = (uint32_t)json_integer_value(group);
	}
}

static uint64_t read_caps(const json_t *sets, const char *name)
{
	struct plan_strings names = json_texts(sets, name);
	uint64_t mask = 0;
	for (uint32_t i = 0; i < names.n; i++) {
		int cap = names_capability(names.list[i]);
		/* A capability that is unknown to this kernel or program is skipped. */
		if (cap >= 0)
			mask |= (uint64_t)1 << cap;
	}
	return mask;
}

static void read_capabilities(struct plan *p, const json_t *process)
{
	static const char *const names[] = {[PLAN_CAPS_BOUNDING] = "bounding",
					    [PLAN_CAPS_EFFECTIVE] = "effective",
					    [PLAN_CAPS_INHERITABLE] = "inheritable",
					    [PLAN_CAPS_PERMITTED] = "permitted",
					    [PLAN_CAPS_AMBIENT] = "ambient"};
	const json_t *sets = json_member(process, "capabilities", JSON_OBJECT);
	for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
		p->caps[i] = read_caps(sets, names[i]);
}

static void read_limits(struct plan *p, const json_t *process)
{
	const json_t *list = json_member(process, "rlimits", JSON_ARRAY);
	p->n_limits = (uint32_t)json_array_size(list);
	p->limits = json_room(p->n_limits, sizeof *p->limits);
	for (uint32_t i = 0; i < p->n_limits; i++) {
		const json_t *one = json_array_get(list, i);
		const char *type = json_text(one, "type", "");
		int resource = names_limit(type);
		if (resource < 0)
			fail(PHASE_PLAN, 0, "invalid rlimit type \"%s\"", type);
		for (uint32_t k = 0; k < i; k++)
			if (p->limits[k].resource == (uint32_t)resource)
				fail(PHASE_PLAN, 0, "rlimit %s is given twice", type);
		p->limits[i] = (struct plan_limit){
			(uint32_t)resource,
			(uint64_t)json_number(one, "soft", 0, INT64_MIN, INT64_MAX),
			(uint64_t)json_number(one, "hard", 0, INT64_MIN, INT64_MAX),
		};
	}
}

static void refuse(const json_t *process, const char *name)
{
	const json_t *value = json_object_get(process, name);
	if (value != NULL && !json_is_null(value) && (!json_is_object(value) || json_object_size(value) > 0))
		fail(PHASE_PLAN, 0, "process.%s is not supported", name);
}

void config_process(struct plan *p, const json_t *process)
{
	const json_t *size = json_member(process, "consoleSize", JSON_OBJECT);
	refuse(process, "scheduler");
	refuse(process, "ioPriority");
	refuse(process, "execCPUAffinity");
	p->terminal = json_flag(process, "terminal");
	p->rows = (uint32_t)json_number(size, "height", 0, 0, UINT16_MAX);
	p->columns = (uint32_t)json_number(size, "width", 0, 0, UINT16_MAX);
	p->args = json_texts(process, "args");
	p->env = json_texts(process, "env");
	p->cwd = json_text(process, "cwd", "");
	p->no_new_privs = json_flag(process, "noNewPrivileges");
	p->apparmor = json_text(process, "apparmorProfile", "");
	p->selinux = json_text(process, "selinuxLabel", "");
	p->oom_score = json_number(process, "oomScoreAdj", PLAN_UNSET, -1000, 1000);
	if (p->args.n == 0)
		fail(PHASE_PLAN, 0, "process.args must not be empty");
	if (p->cwd[0] == '\0')
		fail(PHASE_PLAN, 0, "Cwd property must not be empty");
	if (p->cwd[0] != '/')
		fail(PHASE_PLAN, 0, "Cwd must be an absolute path");
	read_user(p, process);
	read_capabilities(p, process);
	read_limits(p, process);
}
