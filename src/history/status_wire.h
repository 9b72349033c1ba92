/* SPDX-License-Identifier: Apache-2.0 */
/*
 * status_wire: converts progress events to StatusResponse messages, for Status calls and for the log in the history.
 *
 *	GPtrArray *messages = status_wire_pack(events);        of GBytes *, each at most about 1 MiB
 *
 * Within a message vertices are sorted by start, statuses and logs by time. Thread: any.
 */
#pragma once
#include "progress/progress.h"

GPtrArray *status_wire_pack(const GPtrArray *events /* element type: const struct progress_event * */);
