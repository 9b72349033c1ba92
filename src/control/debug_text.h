/* SPDX-License-Identifier: Apache-2.0 */
/*
 * debug_text: the state of the daemon as text, for the debug address.
 *
 *	control_debug_graph(builder, out);
 *
 * Thread: any.
 */
#pragma once
#include "builder/build.h"

/* The solver's graph: vertices, edges, keys, work items. */
void control_debug_graph(builder *b, GString *out);
/* The cache records of all workers. */
void control_debug_cache(builder *b, GString *out);
/* What each running build waits for. */
void control_debug_stuck(builder *b, GString *out);
