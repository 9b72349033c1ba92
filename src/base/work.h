/* SPDX-License-Identifier: Apache-2.0 */
/*
 * work: who asks, in one pointer that every blocking piece of work is handed.
 *
 *	if (!cancel_check(work->cancel, error)) return false;
 *	progress_status(work->progress, ...);            progress/progress.h
 *	session_secret_get(work->sessions, id, ...);     session/session.h
 *
 * Plain data: all pointers are borrowed from the caller, which outlives the work. Any may be NULL
 * (never canceled, nobody asking, nobody watching).
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
	progress_sink *progress; /* of the vertex that the work belongs to */
	pins *const *pins;       /* of the builds that the work belongs to; ends with NULL */
	int64_t compat_version;  /* of its builds: 10, 20 or 30; 0: the newest */
	int64_t compat_conflict; /* of another build of it, when that wants a different one; else 0 */
};
