/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resource_sampler: records what steps and, while steps run, the machine use: every 2 s and at the end of each step.
 *
 *	resource_sampler *s = resource_sampler_new(RESOURCE_INTERVAL_US);
 *	step_usage *u = step_usage_new();
 *	resource_sampler_begin(s, u, hierarchy_fd, "buildkit/id");
 *	... the step runs ...
 *	resource_sampler_end(s, u, hold_fd);                its cgroup must exist until hold_fd is closed
 *	step_usage_write(w, u);
 *
 * One thread reads the files, so that a step does not wait for that. It is started with a step, and ends when no step
 * has run for a minute. Intervals of a long step double after each ten samples, so that there are at most about 20.
 * Thread: any.
 */
#pragma once
#include "resources/sample.h"

typedef struct resource_sampler resource_sampler;
/* What one run of a step has used. Counted. */
typedef struct step_usage step_usage;

#define RESOURCE_INTERVAL_US (2 * G_USEC_PER_SEC)
/* interval_us: RESOURCE_INTERVAL_US; less in tests. */
resource_sampler *resource_sampler_new(int64_t interval_us);
void resource_sampler_free(resource_sampler *s); /* after the end of all steps */

step_usage *step_usage_new(void);
step_usage *step_usage_ref(step_usage *u);
void step_usage_unref(step_usage *u);

/*
 * hierarchy_fd: the mount point of cgroup v2, borrowed until the end of the step; path: of the step's cgroup, relative to
 * it, which need not exist yet. -1 and NULL: only the machine is recorded.
 */
void resource_sampler_begin(resource_sampler *s, step_usage *u, int hierarchy_fd, const char *path);
/*
 * Takes the last sample, later; hold_fd (taken) is closed then. -1: takes it before it returns. Has no effect for a usage
 * that did not begin or has ended, except that hold_fd is closed.
 */
void resource_sampler_end(resource_sampler *s, step_usage *u, int hold_fd);
/* Writes an object, after the last sample of the step. False, and nothing is written: there are no samples. */
bool step_usage_write(json_writer *w, step_usage *u);
/*
 * Returns the samples of the machine since then, and one of now; NULL if no step has run since then. Element type: struct
 * resource_machine_sample. g_array_unref.
 */
GArray *resource_sampler_machine(resource_sampler *s, int64_t since_ns);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(step_usage, step_usage_unref)
