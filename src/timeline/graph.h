/* SPDX-License-Identifier: Apache-2.0 */
/*
 * graph: draws the steps of a build and their inputs as SVG. Internal to timeline/.
 *
 *	timeline_graph_write(out, t);
 *
 * Columns from left to right: a step is right of its inputs. Of a build with more than TIMELINE_GRAPH_STEPS steps, only the
 * critical path and its inputs are drawn. Pure. Thread: that of the timeline.
 */
#pragma once
#include "timeline/timeline.h"

#define TIMELINE_GRAPH_STEPS 150

void timeline_graph_write(GString *out, const timeline *t);
