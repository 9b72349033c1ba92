/* SPDX-License-Identifier: Apache-2.0 */
/*
 * status_maker: messages of a Status call for tests of the timeline. Times are milliseconds after STATUS_EPOCH_NS; -1: unset.
 *
 *	status_vertex(t, "a", "[1/2] RUN x", "b c", 0, 1500, false, NULL);      passed to the timeline at once
 */
#pragma once
#include "timeline/timeline.h"

#define STATUS_EPOCH_NS INT64_C(1764558000000000000)
#define STATUS_NS(ms) (STATUS_EPOCH_NS + (int64_t)(ms)*1000000)

void status_vertex(timeline *t, const char *digest, const char *name, const char *inputs, int start_ms, int end_ms,
		   bool cached, const char *error);
void status_status(timeline *t, const char *digest, const char *id, int64_t current, int64_t total, int start_ms,
		   int end_ms);
void status_log(timeline *t, const char *digest, int ms, const char *text);
void status_warning(timeline *t, const char *digest, const char *text, const char *source, int line);
