/* SPDX-License-Identifier: Apache-2.0 */
/*
 * history_filter: BuildHistoryRequest.Filter: entries are OR-ed, the comma-separated terms of an entry are AND-ed.
 *
 *	history_filter *f = history_filter_new(list, error);
 *	history_filter_match(f, record)
 *
 * Fields: ref, status (running, completed, error, canceled), repository with ==, != and ~=; startedAt, completedAt and
 * duration with >, >=, < and <= and a duration (for times: before now) or an RFC 3339 time. Thread: any, immutable
 * after new.
 */
#pragma once
#include "base/error.h"
#include "control.pb-c.h"

typedef struct history_filter history_filter;

history_filter *history_filter_new(const char *const *list, GError **error);
bool history_filter_match(const history_filter *f, const Control__BuildHistoryRecord *record);
void history_filter_free(history_filter *f);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(history_filter, history_filter_free)
