/* SPDX-License-Identifier: Apache-2.0 */
/*
 * step_log: forwards the output of a step to the progress stream, clipped at the step log limits.
 *
 *	struct step_log log;
 *	step_log_init(&log, work->progress);
 *	step_log_write(&log, 1, bytes, n); ...
 *	if (failed) step_log_flush_tail(&log);
 *	step_log_done(&log);
 *
 * 2 MiB in total and 200 KiB per started second, per stream; BUILDKIT_STEP_LOG_MAX_SIZE and BUILDKIT_STEP_LOG_MAX_SPEED
 * change that (-1: off). The last 256 KiB of a clipped stream are kept for a step that fails.
 * Thread: one at a time.
 */
#pragma once
#include "progress/progress.h"

#define STEP_LOG_TAIL_BYTES (256 * 1024)

struct step_log_stream {
	int64_t created_us;
	int64_t size;
	bool clipping;
	uint8_t *tail;   /* ring of STEP_LOG_TAIL_BYTES; owned; NULL until something was clipped */
	uint64_t n_tail; /* bytes ever written to it */
};
struct step_log {
	progress_sink *sink; /* borrowed */
	int64_t max_size, max_speed;
	struct step_log_stream streams[2];
};

void step_log_init(struct step_log *log, progress_sink *sink);
/* stream: 1 stdout, 2 stderr. */
void step_log_write(struct step_log *log, int stream, const void *bytes, size_t n);
/* Sends the retained end of the output, once. */
void step_log_flush_tail(struct step_log *log);
void step_log_done(struct step_log *log);
/* Formats "2MiB", "200KiB", "1.5KiB": binary units as in the notice about clipped output; owned by the caller. */
char *step_log_size_text(int64_t bytes);
