/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pages_internal: how the pages read builds; for other files of control/.
 *
 *	g_autoptr(GPtrArray) events = control_pages_events(builder, "", true);
 *
 * Thread: any.
 */
#pragma once
#include "builder/build.h"
#include "control.pb-c.h"
#include "timeline/timeline.h"

/* The current events of all builds (ref "") or one, of type Control__BuildHistoryEvent *; freeing the array frees them. */
GPtrArray *control_pages_events(builder *b, const char *ref, bool active_only);
/* A running build as it is now. Owned. */
timeline *control_pages_running(builder *b, const Control__BuildHistoryRecord *record);
