/* SPDX-License-Identifier: Apache-2.0 */
/* cache_report: which steps of a build missed the cache. Room-internal, see display_cache_report. Thread: any. */
#pragma once
#include "client/display_model.h"

/* A line "cache miss: NAME" a step, then one JSON object. */
char *cache_report(const struct model *m, int64_t duration_ms);
