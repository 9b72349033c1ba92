/* SPDX-License-Identifier: Apache-2.0 */
/*
 * work: per-request context of blocking functions: cancellation, sessions, progress.
 *
 *	if (!cancel_check(work->cancel, error)) return false;
 *	progress_status(work->progress, ...);            progress/progress.h
 *	session_secret_get(work->sessions, id, ...);     session/session.h
 *
 * Plain data: all pointers are borrowed from the caller, which outlives the work. Any may be NULL (never canceled, no
 * client session, no progress).
 * Thread: any.
 */
#pragma once
#include "base/cancel.h"
#include "base/pins.h"

typedef struct session_group session_group; /* session/session.h */
typedef struct progress_sink progress_sink; /* progress/progress.h */

struct work {
	cancel *cancel;
	session_group *sessions;
	progress_sink *progress; /* of the vertex to which the work belongs */
	pins *const *pins;       /* of the builds to which the work belongs; ends with NULL */
	int64_t compat_version;  /* of these builds: 10, 20 or 30; 0: the newest */
	int64_t compat_conflict; /* a different version that another of these builds requests; else 0 */
};
