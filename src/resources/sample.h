/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resource_sample: what a control group (cgroup v2) or the machine uses at one moment, read from the kernel's text files.
 *
 *	struct resource_sample s;
 *	if (resource_sample_read(cgroup_fd, &s))
 *		resource_sample_write(w, &s);
 *
 * Files: Documentation/admin-guide/cgroup-v2.rst, proc(5) and accounting/psi.rst of Linux. The JSON is that of
 * BuildKit's provenance (resourceUsage and sysUsage). Files, lines and values that the kernel does not have are absent.
 * Thread: any.
 */
#pragma once
#include "format/json_writer.h"

#define RESOURCE_ABSENT UINT64_MAX /* values are at most INT64_MAX */

struct resource_pressure { /* of one resource; tasks that wait for it */
	bool known;
	struct resource_stall {
		bool known;
		uint32_t hundredths[3]; /* of percent: in the last 10, 60 and 300 s */
		uint64_t total_us;
	} some, full;
};
struct resource_sample { /* values in the order of the tables in sample.c */
	int64_t time_ns; /* since 1970 */
	uint64_t cpu[6], memory[16], memory_events[5], io[6], pids;
	bool has_memory, has_io;
	struct resource_pressure cpu_pressure, memory_pressure, io_pressure;
};
/* CPU time of the machine since its start, in hundredths of a second. */
struct resource_cpu_time {
	uint64_t ticks[10];
};
struct resource_machine_sample {
	int64_t time_ns;
	struct resource_cpu_time cpu;
	uint64_t processes[3], memory_kib[11];
	struct resource_pressure cpu_pressure, memory_pressure, io_pressure;
};

/* Reads the files of a cgroup's directory. False: it does not exist any more, or is not a cgroup v2. */
bool resource_sample_read(int cgroup_fd, struct resource_sample *ret);
void resource_sample_write(json_writer *w, const struct resource_sample *s);
/* Reads files below proc_fd, a directory such as /proc. False: there is no "stat". */
bool resource_machine_sample_read(int proc_fd, struct resource_machine_sample *ret);
void resource_machine_sample_write(json_writer *w, const struct resource_machine_sample *s);
bool resource_cpu_time_read(int proc_fd, struct resource_cpu_time *ret);
/* Writes the time between two readings; an object, in seconds. */
void resource_cpu_time_write(json_writer *w, const struct resource_cpu_time *from, const struct resource_cpu_time *to);
