/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics: counters of completed builds, with the names that BuildKit's have in Prometheus.
 *
 *	build_metrics_note(m, failure, &counts, duration_ns);        at the end of each build
 *	build_metrics_write(m, out);                                 text format 0.0.4
 *
 * https://prometheus.io/docs/instrumenting/exposition_formats/. Thread: any.
 */
#pragma once
#include "base/error.h"
#include "progress/progress.h"

typedef struct build_metrics build_metrics;
build_metrics *build_metrics_new(void);
void build_metrics_free(build_metrics *m);
/* failure: NULL after success. */
void build_metrics_note(build_metrics *m, const GError *failure, const struct progress_counts *counts,
			int64_t duration_ns);
void build_metrics_write(build_metrics *m, GString *out);
