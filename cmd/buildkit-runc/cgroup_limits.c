/* SPDX-License-Identifier: Apache-2.0 */
/* Resource limits: a table lists those that are written unchanged; the others have their own functions. */
#include "cgroup.h"
#include "sys.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MIN_SHARES 2
#define MAX_SHARES 262144

static int set(const struct cgroup *g, unsigned bit, const char *file, const char *value, const char **ret_what)
{
	*ret_what = file;
	int fd = g->all->unified_only ? cgroup_unified_fd(g) : cgroup_find(g, bit);
	if (fd < 0)
		return fd == -1 ? -ENOENT : fd;
	return sys_write_at(fd, file, value);
}

static int set_number(const struct cgroup *g, unsigned bit, const char *file, int64_t value, const char **ret_what)
{
	char text[32];
	/* v2 writes -1 (no limit) as "max". */
	if (value == -1 && g->all->unified_only)
		return set(g, bit, file, "max", ret_what);
	snprintf(text, sizeof text, "%lld", (long long)value);
	return set(g, bit, file, text, ret_what);
}

struct limit_row {
	size_t offset; /* offset of an int64_t in struct plan_resources */
	unsigned bit;
	const char *v1, *v2; /* NULL: not in this version */
};
#define ROW(member, bit, v1, v2)                                                                                       \
	{                                                                                                              \
		offsetof(struct plan_resources, member), bit, v1, v2                                                   \
	}
static const struct limit_row limit_rows[] = {
	ROW(memory_reservation, CGROUP_MEMORY, "memory.soft_limit_in_bytes", "memory.low"),
	ROW(swappiness, CGROUP_MEMORY, "memory.swappiness", NULL),
	ROW(oom_disable, CGROUP_MEMORY, "memory.oom_control", NULL),
	ROW(pids, CGROUP_PIDS, "pids.max", "pids.max"),
	ROW(cpu_idle, CGROUP_CPU, "cpu.idle", "cpu.idle"),
	ROW(rt_period, CGROUP_CPU, "cpu.rt_period_us", NULL),
	ROW(rt_runtime, CGROUP_CPU, "cpu.rt_runtime_us", NULL),
	ROW(cpu_burst, CGROUP_CPU, "cpu.cfs_burst_us", "cpu.max.burst"),
};

/* v1 counts memory and swap together and requires sum >= memory at all times, so the order of the writes matters. */
static int limit_memory_v1(const struct cgroup *g, const struct plan_resources *r, const char **ret_what)
{
	static const char both[] = "memory.memsw.limit_in_bytes", memory[] = "memory.limit_in_bytes";
	int result = 0;
	bool swap_first = r->memory_swap == -1 || (r->memory_swap != PLAN_UNSET && r->memory == PLAN_UNSET);
	if (swap_first)
		result = set_number(g, CGROUP_MEMORY, both, r->memory_swap, ret_what);
	if (result == 0 && r->memory != PLAN_UNSET)
		result = set_number(g, CGROUP_MEMORY, memory, r->memory, ret_what);
	if (result == 0 && !swap_first && r->memory_swap != PLAN_UNSET)
		result = set_number(g, CGROUP_MEMORY, both, r->memory_swap, ret_what);
	return result;
}

static int limit_memory_v2(const struct cgroup *g, const struct plan_resources *r, const char **ret_what)
{
	int result = 0;
	if (r->memory_swap != PLAN_UNSET) {
		int64_t swap = r->memory_swap;
		if (swap > 0 && r->memory > 0)
			swap -= r->memory;
		if (swap < -1)
			return -EINVAL;
		result = set_number(g, CGROUP_MEMORY, "memory.swap.max", swap, ret_what);
	}
	if (result == 0 && r->memory != PLAN_UNSET)
		result = set_number(g, CGROUP_MEMORY, "memory.max", r->memory, ret_what);
	return result;
}

static int limit_cpu_v1(const struct cgroup *g, const struct plan_resources *r, const char **ret_what)
{
	int result = 0;
	if (r->cpu_shares != PLAN_UNSET)
		result = set_number(g, CGROUP_CPU, "cpu.shares", r->cpu_shares, ret_what);
	/* The kernel accepts values out of range but interprets them differently. */
	if (result == 0 && r->cpu_shares != PLAN_UNSET && (r->cpu_shares < MIN_SHARES || r->cpu_shares > MAX_SHARES))
		result = -ERANGE;
	if (result == 0 && r->cpu_period != PLAN_UNSET)
		result = set_number(g, CGROUP_CPU, "cpu.cfs_period_us", r->cpu_period, ret_what);
	if (result == 0 && r->cpu_quota != PLAN_UNSET)
		result = set_number(g, CGROUP_CPU, "cpu.cfs_quota_us", r->cpu_quota, ret_what);
	return result;
}

static int limit_cpu_v2(const struct cgroup *g, const struct plan_resources *r, const char **ret_what)
{
	int result = 0;
	if (r->cpu_shares != PLAN_UNSET) {
		/* Converts v1's range of cpu shares to [1, 10000]. */
		int64_t shares = r->cpu_shares < MIN_SHARES   ? MIN_SHARES
				 : r->cpu_shares > MAX_SHARES ? MAX_SHARES
							      : r->cpu_shares;
		result = set_number(g, CGROUP_CPU, "cpu.weight",
				    1 + (shares - MIN_SHARES) * 9999 / (MAX_SHARES - MIN_SHARES), ret_what);
	}
	if (result == 0 && (r->cpu_quota != PLAN_UNSET || r->cpu_period != PLAN_UNSET)) {
		char text[64], quota[24] = "max";
		if (r->cpu_quota > 0)
			snprintf(quota, sizeof quota, "%lld", (long long)r->cpu_quota);
		snprintf(text, sizeof text, "%s %lld", quota, r->cpu_period > 0 ? (long long)r->cpu_period : 100000LL);
		result = set(g, CGROUP_CPU, "cpu.max", text, ret_what);
	}
	return result;
}

static int limit_rows_all(const struct cgroup *g, const struct plan_resources *r, const char **ret_what)
{
	for (size_t i = 0; i < sizeof limit_rows / sizeof *limit_rows; i++) {
		const struct limit_row *row = &limit_rows[i];
		int64_t value;
		memcpy(&value, (const char *)r + row->offset, sizeof value);
		const char *file = g->all->unified_only ? row->v2 : row->v1;
		if (value == PLAN_UNSET || file == NULL)
			continue;
		/* 0 or less: no limit. */
		if (row->bit == CGROUP_PIDS && value <= 0) {
			int result = set(g, row->bit, file, "max", ret_what);
			if (result != 0)
				return result;
			continue;
		}
		int result = set_number(g, row->bit, file, value, ret_what);
		if (result != 0)
			return result;
	}
	return 0;
}

static int limit_rest(const struct cgroup *g, const struct plan_resources *r, const char **ret_what)
{
	int result = 0;
	if (r->cpus[0] != '\0')
		result = set(g, CGROUP_CPUSET, "cpuset.cpus", r->cpus, ret_what);
	if (result == 0 && r->mems[0] != '\0')
		result = set(g, CGROUP_CPUSET, "cpuset.mems", r->mems, ret_what);
	if (result == 0 && r->blkio_weight != PLAN_UNSET && r->blkio_weight != 0) {
		char text[48];
		/* v2 only: converts [10, 1000] to [1, 10000]. */
		if (g->all->unified_only)
			snprintf(text, sizeof text, "default %lld",
				 (long long)(1 + (r->blkio_weight - 10) * 9999 / 990));
		else
			snprintf(text, sizeof text, "%lld", (long long)r->blkio_weight);
		result = set(g, CGROUP_BLKIO, g->all->unified_only ? "io.weight" : "blkio.weight", text, ret_what);
	}
	for (uint32_t i = 0; result == 0 && g->all->unified_only && i < r->n_unified; i++) {
		*ret_what = r->unified[i].name;
		result = strchr(*ret_what, '/') != NULL
				 ? -EINVAL
				 : sys_write_at(cgroup_unified_fd(g), *ret_what, r->unified[i].value);
	}
	return result;
}

int cgroup_limit(const struct cgroup *g, const struct plan_resources *r, const char **ret_what)
{
	bool v2 = g->all->unified_only;
	int result = limit_rest(g, r, ret_what);
	if (result == 0)
		result = v2 ? limit_memory_v2(g, r, ret_what) : limit_memory_v1(g, r, ret_what);
	if (result == 0)
		result = v2 ? limit_cpu_v2(g, r, ret_what) : limit_cpu_v1(g, r, ret_what);
	return result == 0 ? limit_rows_all(g, r, ret_what) : result;
}
