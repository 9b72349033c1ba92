/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stuck: prints what each running build waits for.
 *
 *	g_autofree char *text = timeline_stuck_text(reply);
 *
 * Pure. Thread: any.
 */
#pragma once
#include "debug.pb-c.h"
#include "timeline/timeline.h"

char *timeline_stuck_text(const Debug__StuckResponse *reply);
