/* SPDX-License-Identifier: Apache-2.0 */
/*
 * status_wire: progress events as StatusResponse messages, for Status calls and for the log kept in history.
 *
 *	GPtrArray *messages = status_wire_pack(events);        of GBytes *, each at most about 1 MiB
 *
 * Within a message vertices are sorted by start, statuses and logs by time. Thread: any.
 */
#pragma once
#include "progress/progress.h"

GPtrArray *status_wire_pack(const GPtrArray *events /* of const struct progress_event * */);
