/* SPDX-License-Identifier: Apache-2.0 */
/* config-linux.md, "Control groups". */
#include "cgroup.h"
#include "config.h"
#include "fail.h"
#include <string.h>

/* 0 means not given, as in other runtimes. */
static int64_t number(const json_t *object, const char *name)
{
	int64_t value = json_number(object, name, 0, INT64_MIN + 1, INT64_MAX);
	return value != 0 ? value : PLAN_UNSET;
}

static uint32_t read_access(const char *text)
{
	uint32_t access = 0;
	for (; *text != '\0'; text++)
		access |= *text == 'r'   ? PLAN_ACCESS_READ
			  : *text == 'w' ? PLAN_ACCESS_WRITE
			  : *text == 'm' ? PLAN_ACCESS_MKNOD
					 : 0;
	return access;
}

static struct plan_device_rule read_rule(const json_t *one)
{
	const char *type = json_text(one, "type", "a");
	if (strlen(type) > 1 || strchr("abc", type[0]) == NULL)
		fail(PHASE_PLAN, 0, "invalid device type \"%s\"", type);
	return (struct plan_device_rule){
		json_flag(one, "allow"),
		(uint32_t)(type[0] != '\0' ? type[0] : 'a'),
		json_number(one, "major", -1, -1, INT32_MAX),
		json_number(one, "minor", -1, -1, INT32_MAX),
		read_access(json_text(one, "access", "rwm")),
	};
}

/* The rules of config.json, followed by the default rules for all containers. */
static void read_device_rules(struct plan *p, const json_t *resources)
{
	const json_t *list = json_member(resources, "devices", JSON_ARRAY);
	size_t n = json_array_size(list);
	struct plan_device_rule *rules = json_room(1 + n + plan_n_default_rules, sizeof *rules);
	uint32_t used = 0;
	rules[used++] = (struct plan_device_rule){0, 'a', -1, -1, PLAN_ACCESS_ALL};
	for (size_t i = 0; i < n; i++)
		rules[used++] = read_rule(json_array_get(list, i));
	bool all = used > 1 && rules[used - 1].type == 'a' && rules[used - 1].allow != 0;
	for (uint32_t i = 1; !all && i < plan_n_default_rules; i++)
		rules[used++] = plan_default_rules[i];
	p->resources.devices = rules;
	p->resources.n_devices = used;
}

static void read_unified(struct plan_resources *r, const json_t *resources)
{
	json_t *object = json_member(resources, "unified", JSON_OBJECT), *value;
	const char *name;
	r->unified = json_room(json_object_size(object), sizeof *r->unified);
	json_object_foreach(object, name, value)
	{
		if (!json_is_string(value) || strchr(name, '/') != NULL)
			fail(PHASE_PLAN, 0, "unified resource \"%s\" must be a file name with a string", name);
		r->unified[r->n_unified++] = (struct plan_setting){name, json_string_value(value)};
	}
}

static void refuse(const json_t *object, const char *name)
{
	const json_t *value = object != NULL ? json_object_get(object, name) : NULL;
	if (value != NULL && (json_array_size(value) > 0 || json_object_size(value) > 0))
		fail(PHASE_PLAN, 0, "resources.%s is not supported", name);
}

void config_resources(struct plan *p, const json_t *resources)
{
	struct plan_resources *r = &p->resources;
	const json_t *memory = json_member(resources, "memory", JSON_OBJECT);
	const json_t *cpu = json_member(resources, "cpu", JSON_OBJECT);
	const json_t *block = json_member(resources, "blockIO", JSON_OBJECT);
	refuse(resources, "hugepageLimits");
	refuse(resources, "network");
	refuse(resources, "rdma");
	refuse(block, "weightDevice");
	refuse(block, "throttleReadBpsDevice");
	refuse(block, "throttleWriteBpsDevice");
	refuse(block, "throttleReadIOPSDevice");
	refuse(block, "throttleWriteIOPSDevice");
	r->memory = number(memory, "limit");
	r->memory_swap = number(memory, "swap");
	r->memory_reservation = number(memory, "reservation");
	r->swappiness = number(memory, "swappiness");
	if (json_flag(memory, "disableOOMKiller"))
		r->oom_disable = 1;
	r->pids = number(json_member(resources, "pids", JSON_OBJECT), "limit");
	r->cpu_shares = number(cpu, "shares");
	r->cpu_quota = number(cpu, "quota");
	r->cpu_period = number(cpu, "period");
	r->cpu_burst = number(cpu, "burst");
	r->cpu_idle = number(cpu, "idle");
	r->rt_runtime = number(cpu, "realtimeRuntime");
	r->rt_period = number(cpu, "realtimePeriod");
	r->cpus = json_text(cpu, "cpus", "");
	r->mems = json_text(cpu, "mems", "");
	r->blkio_weight = number(block, "weight");
	read_unified(r, resources);
	read_device_rules(p, resources);
}
