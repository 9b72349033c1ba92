/* SPDX-License-Identifier: Apache-2.0 */
/*
 * excerpt: the lines of a source file that a warning names. Internal to timeline/.
 *
 *	g_autofree char *lines = timeline_excerpt(warning);          "" if it names none
 *
 * Pure. Thread: any.
 */
#pragma once
#include "timeline/timeline.h"

char *timeline_excerpt(const Control__VertexWarning *warning);
