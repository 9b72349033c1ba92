/* SPDX-License-Identifier: Apache-2.0 */
/* cache_report: reports which steps of a build missed the cache. Internal, see display_cache_report. Thread: any. */
#pragma once
#include "client/display_model.h"

/* Returns one line "cache miss: NAME" per step, followed by one JSON object. */
char *cache_report(const struct model *m, int64_t duration_ms);
