/* SPDX-License-Identifier: Apache-2.0 */
#include "resources/sample.h"
#include "base/time.h"
#include "format/gotype.h"
#include "os/file.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

#define TICKS_PER_S 100 /* USER_HZ, on all architectures of Linux that are supported */

struct field {
	const char *key;    /* in the kernel's file; "": the value is in a separate file */
	const char *member; /* in JSON */
	unsigned scale;
};
static const struct field cpu_fields[] = {
	{"usage_usec", "usageNanos", 1000},   {"user_usec", "userNanos", 1000},
	{"system_usec", "systemNanos", 1000}, {"nr_periods", "nrPeriods", 1},
	{"nr_throttled", "nrThrottled", 1},   {"throttled_usec", "throttledNanos", 1000},
};
static const struct field memory_fields[] = {
	{"", "swapBytes", 1},
	{"anon", "anon", 1},
	{"file", "file", 1},
	{"kernel_stack", "kernelStack", 1},
	{"pagetables", "pageTables", 1},
	{"sock", "sock", 1},
	{"shmem", "shmem", 1},
	{"file_mapped", "fileMapped", 1},
	{"file_dirty", "fileDirty", 1},
	{"file_writeback", "fileWriteback", 1},
	{"slab", "slab", 1},
	{"pgscan", "pgscan", 1},
	{"pgsteal", "pgsteal", 1},
	{"pgfault", "pgfault", 1},
	{"pgmajfault", "pgmajfault", 1},
	{"", "peak", 1},
};
enum { MEMORY_SWAP = 0, MEMORY_PEAK = G_N_ELEMENTS(memory_fields) - 1 };
static const struct field memory_event_fields[] = {
	{"low", "lowEvents", 1}, {"high", "highEvents", 1},        {"max", "maxEvents", 1},
	{"oom", "oomEvents", 1}, {"oom_kill", "oomKillEvents", 1},
};
static const struct field io_fields[] = {
	{"rbytes", "readBytes", 1}, {"wbytes", "writeBytes", 1}, {"dbytes", "discardBytes", 1},
	{"rios", "readIOs", 1},     {"wios", "writeIOs", 1},     {"dios", "discardIOs", 1},
};
static const struct field process_fields[] = {
	{"ctxt", "contextSwitches", 1},
	{"processes", "processCreated", 1},
	{"procs_running", "processesRunning", 1},
};
static const struct field machine_memory_fields[] = {
	{"MemTotal:", "total", 1},      {"MemFree:", "free", 1},   {"MemAvailable:", "available", 1},
	{"Buffers:", "buffers", 1},     {"Cached:", "cached", 1},  {"Active:", "active", 1},
	{"Inactive:", "inactive", 1},   {"SwapTotal:", "swap", 1}, {"Dirty:", "dirty", 1},
	{"Writeback:", "writeback", 1}, {"Slab:", "slab", 1},
};
static const char *const machine_cpu_members[] = {"user", "nice",    "system", "idle",  "iowait",
						  "irq",  "softirq", "steal",  "guest", "guestNice"};

#define COUNT(fields, values) G_STATIC_ASSERT(G_N_ELEMENTS(fields) == G_N_ELEMENTS(values))
COUNT(cpu_fields, ((struct resource_sample *)0)->cpu);
COUNT(memory_fields, ((struct resource_sample *)0)->memory);
COUNT(memory_event_fields, ((struct resource_sample *)0)->memory_events);
COUNT(io_fields, ((struct resource_sample *)0)->io);
COUNT(process_fields, ((struct resource_machine_sample *)0)->processes);
COUNT(machine_memory_fields, ((struct resource_machine_sample *)0)->memory_kib);
COUNT(machine_cpu_members, ((struct resource_cpu_time *)0)->ticks);

/* ---- reading */

static bool parse_number(const char *text, uint64_t *ret)
{
	return g_ascii_string_to_unsigned(text, 10, 0, INT64_MAX, ret, NULL);
}

static void clear(uint64_t *values, size_t n)
{
	for (size_t i = 0; i < n; i++)
		values[i] = RESOURCE_ABSENT;
}

static void take(const char *key, const char *value, const struct field *fields, size_t n, uint64_t *ret)
{
	uint64_t number;
	for (size_t i = 0; i < n; i++)
		if (strcmp(fields[i].key, key) == 0 && parse_number(value, &number) &&
		    number <= INT64_MAX / fields[i].scale)
			ret[i] = number * fields[i].scale;
}

/* Reads lines "KEY VALUE ...". False: there is no such file. */
static bool read_keys(int dir_fd, const char *name, const struct field *fields, size_t n, uint64_t *ret)
{
	FILE *f = file_open_text_at(dir_fd, name);
	char line[256], key[64], value[32];
	clear(ret, n);
	while (f && fgets(line, sizeof line, f))
		if (sscanf(line, "%63s %31s", key, value) == 2)
			take(key, value, fields, n, ret);
	if (f)
		fclose(f);
	return f != NULL;
}

static uint64_t read_one(int dir_fd, const char *name)
{
	FILE *f = file_open_text_at(dir_fd, name);
	char value[32] = "";
	uint64_t number;
	bool read = f && fscanf(f, "%31s", value) == 1 && parse_number(value, &number);
	if (f)
		fclose(f);
	return read ? number : RESOURCE_ABSENT;
}

/* Adds up the lines "MAJOR:MINOR rbytes=1 wbytes=2 ..." of all devices. */
static bool read_io(int dir_fd, uint64_t *ret)
{
	FILE *f = file_open_text_at(dir_fd, "io.stat");
	char line[512];
	clear(ret, G_N_ELEMENTS(io_fields));
	while (f && fgets(line, sizeof line, f)) {
		g_auto(GStrv) words = g_strsplit(g_strchomp(line), " ", -1);
		for (size_t i = 1; words[0] && words[i]; i++) {
			uint64_t of_device[G_N_ELEMENTS(io_fields)];
			char *equals = strchr(words[i], '=');
			clear(of_device, G_N_ELEMENTS(io_fields));
			if (!equals)
				continue;
			*equals = '\0';
			take(words[i], equals + 1, io_fields, G_N_ELEMENTS(io_fields), of_device);
			for (size_t k = 0; k < G_N_ELEMENTS(io_fields); k++)
				if (of_device[k] != RESOURCE_ABSENT)
					ret[k] =
						MIN(of_device[k] + (ret[k] == RESOURCE_ABSENT ? 0 : ret[k]), INT64_MAX);
		}
	}
	if (f)
		fclose(f);
	return f != NULL;
}

/* "12.34" */
static bool parse_hundredths(const char *text, uint32_t *ret)
{
	unsigned whole, rest;
	int end = 0;
	bool parsed = sscanf(text, "%5u.%2u%n", &whole, &rest, &end) == 2 && text[end] == '\0';
	if (parsed)
		*ret = whole * 100 + rest;
	return parsed;
}

/* "some avg10=0.00 avg60=0.00 avg300=0.00 total=0" */
static void parse_stall(const char *line, struct resource_stall *ret)
{
	char values[4][32];
	struct resource_stall s = {.known = true};
	bool parsed = sscanf(line, "%*s avg10=%31s avg60=%31s avg300=%31s total=%31s", values[0], values[1], values[2],
			     values[3]) == 4;
	for (int i = 0; parsed && i < 3; i++)
		parsed = parse_hundredths(values[i], &s.hundredths[i]);
	if (parsed && parse_number(values[3], &s.total_us))
		*ret = s;
}

static void read_pressure(int dir_fd, const char *name, struct resource_pressure *ret)
{
	FILE *f = file_open_text_at(dir_fd, name);
	char line[256];
	*ret = (struct resource_pressure){0};
	/* Without pressure accounting, the files of a cgroup exist, and reading fails. */
	while (f && fgets(line, sizeof line, f)) {
		ret->known = true;
		if (g_str_has_prefix(line, "some "))
			parse_stall(line, &ret->some);
		else if (g_str_has_prefix(line, "full "))
			parse_stall(line, &ret->full);
	}
	if (f)
		fclose(f);
}

static int64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return timespec_to_ns(&now);
}

#define READ_KEYS(dir_fd, name, fields, ret) read_keys(dir_fd, name, fields, G_N_ELEMENTS(fields), ret)

bool resource_sample_read(int cgroup_fd, struct resource_sample *ret)
{
	*ret = (struct resource_sample){.time_ns = now_ns()};
	if (!READ_KEYS(cgroup_fd, "cpu.stat", cpu_fields, ret->cpu))
		return false;
	read_pressure(cgroup_fd, "cpu.pressure", &ret->cpu_pressure);
	ret->has_memory = READ_KEYS(cgroup_fd, "memory.stat", memory_fields, ret->memory);
	clear(ret->memory_events, G_N_ELEMENTS(memory_event_fields));
	if (ret->has_memory) {
		read_pressure(cgroup_fd, "memory.pressure", &ret->memory_pressure);
		READ_KEYS(cgroup_fd, "memory.events", memory_event_fields, ret->memory_events);
		ret->memory[MEMORY_PEAK] = read_one(cgroup_fd, "memory.peak");
		ret->memory[MEMORY_SWAP] = read_one(cgroup_fd, "memory.swap.current");
	}
	ret->has_io = read_io(cgroup_fd, ret->io);
	if (ret->has_io)
		read_pressure(cgroup_fd, "io.pressure", &ret->io_pressure);
	ret->pids = read_one(cgroup_fd, "pids.current");
	return true;
}

/* The line "cpu" is the first one; the others follow one of all interrupts, which can be long. */
static bool read_stat(int proc_fd, struct resource_cpu_time *ret_cpu, uint64_t *ret_processes)
{
	FILE *f = file_open_text_at(proc_fd, "stat");
	char line[512], key[64], value[32];
	bool at_start = true, read = false;
	*ret_cpu = (struct resource_cpu_time){0};
	while (f && fgets(line, sizeof line, f)) {
		bool is_first = at_start && g_str_has_prefix(line, "cpu ");
		if (is_first) {
			uint64_t *t = ret_cpu->ticks;
			read = sscanf(line, "cpu %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu", &t[0], &t[1], &t[2], &t[3],
				      &t[4], &t[5], &t[6], &t[7], &t[8], &t[9]) >= 4;
			if (!ret_processes)
				break;
		} else if (at_start && sscanf(line, "%63s %31s", key, value) == 2) {
			take(key, value, process_fields, G_N_ELEMENTS(process_fields), ret_processes);
		}
		at_start = strchr(line, '\n') != NULL;
	}
	if (f)
		fclose(f);
	return read;
}

bool resource_cpu_time_read(int proc_fd, struct resource_cpu_time *ret)
{
	return read_stat(proc_fd, ret, NULL);
}

bool resource_machine_sample_read(int proc_fd, struct resource_machine_sample *ret)
{
	*ret = (struct resource_machine_sample){.time_ns = now_ns()};
	clear(ret->processes, G_N_ELEMENTS(process_fields));
	if (!read_stat(proc_fd, &ret->cpu, ret->processes))
		return false;
	READ_KEYS(proc_fd, "meminfo", machine_memory_fields, ret->memory_kib);
	read_pressure(proc_fd, "pressure/cpu", &ret->cpu_pressure);
	read_pressure(proc_fd, "pressure/memory", &ret->memory_pressure);
	read_pressure(proc_fd, "pressure/io", &ret->io_pressure);
	return true;
}

/* ---- writing */

static void put_fields(json_writer *w, const struct field *fields, size_t n, const uint64_t *values)
{
	for (size_t i = 0; i < n; i++) {
		if (values[i] == RESOURCE_ABSENT)
			continue;
		json_key(w, fields[i].member);
		json_put_uint(w, values[i]);
	}
}

#define PUT_FIELDS(w, fields, values) put_fields(w, fields, G_N_ELEMENTS(fields), values)

static void put_stall(json_writer *w, const char *key, const struct resource_stall *s)
{
	static const char *const members[] = {"avg10", "avg60", "avg300"};
	json_key(w, key);
	if (!s->known) {
		json_put_null(w);
		return;
	}
	json_object_begin(w);
	for (int i = 0; i < 3; i++) {
		json_key(w, members[i]);
		json_put_double(w, s->hundredths[i] / 100.0);
	}
	json_key(w, "total");
	json_put_uint(w, s->total_us);
	json_object_end(w);
}

static void put_pressure(json_writer *w, const char *key, const struct resource_pressure *p)
{
	if (!p->known)
		return;
	json_object_member_begin(w, key);
	put_stall(w, "some", &p->some);
	put_stall(w, "full", &p->full);
	json_object_end(w);
}

static void put_time(json_writer *w, int64_t time_ns)
{
	g_autofree char *text = time_format_rfc3339(time_ns);
	json_put_string_member(w, "timestamp", text);
}

static void put_events(json_writer *w, const uint64_t *values)
{
	for (size_t i = 0; i < G_N_ELEMENTS(memory_event_fields); i++) {
		if (values[i] == RESOURCE_ABSENT || values[i] == 0)
			continue;
		json_key(w, memory_event_fields[i].member);
		json_put_uint(w, values[i]);
	}
}

void resource_sample_write(json_writer *w, const struct resource_sample *s)
{
	json_object_begin(w);
	put_time(w, s->time_ns);
	json_object_member_begin(w, "cpuStat");
	PUT_FIELDS(w, cpu_fields, s->cpu);
	put_pressure(w, "pressure", &s->cpu_pressure);
	json_object_end(w);
	if (s->has_memory) {
		json_object_member_begin(w, "memoryStat");
		PUT_FIELDS(w, memory_fields, s->memory);
		put_events(w, s->memory_events);
		put_pressure(w, "pressure", &s->memory_pressure);
		json_object_end(w);
	}
	if (s->has_io) {
		json_object_member_begin(w, "ioStat");
		PUT_FIELDS(w, io_fields, s->io);
		put_pressure(w, "pressure", &s->io_pressure);
		json_object_end(w);
	}
	json_object_member_begin(w, "pidsStat");
	if (s->pids != RESOURCE_ABSENT) {
		json_key(w, "current");
		json_put_uint(w, s->pids);
	}
	json_object_end(w);
	json_object_end(w);
}

void resource_cpu_time_write(json_writer *w, const struct resource_cpu_time *from, const struct resource_cpu_time *to)
{
	json_object_begin(w);
	for (size_t i = 0; i < G_N_ELEMENTS(machine_cpu_members); i++) {
		/* Times of a machine whose processors come and go can decrease. */
		uint64_t ticks = to->ticks[i] > from->ticks[i] ? to->ticks[i] - from->ticks[i] : 0;
		json_key(w, machine_cpu_members[i]);
		json_put_double(w, (double)ticks / TICKS_PER_S);
	}
	json_object_end(w);
}

static void put_or_null(json_writer *w, const struct field *field, uint64_t value)
{
	json_key(w, field->member);
	if (value == RESOURCE_ABSENT)
		json_put_null(w);
	else
		json_put_uint(w, value);
}

void resource_machine_sample_write(json_writer *w, const struct resource_machine_sample *s)
{
	static const struct resource_cpu_time start;
	json_object_begin(w);
	put_time(w, s->time_ns);
	json_key(w, "cpuStat");
	resource_cpu_time_write(w, &start, &s->cpu);
	json_object_member_begin(w, "procStat");
	for (size_t i = 0; i < G_N_ELEMENTS(process_fields); i++)
		json_put_int_member(w, process_fields[i].member,
				    s->processes[i] == RESOURCE_ABSENT ? 0 : (int64_t)s->processes[i]);
	json_object_end(w);
	json_object_member_begin(w, "memoryStat");
	for (size_t i = 0; i < G_N_ELEMENTS(machine_memory_fields); i++)
		put_or_null(w, &machine_memory_fields[i], s->memory_kib[i]);
	json_object_end(w);
	put_pressure(w, "cpuPressure", &s->cpu_pressure);
	put_pressure(w, "memoryPressure", &s->memory_pressure);
	put_pressure(w, "ioPressure", &s->io_pressure);
	json_object_end(w);
}
