/* SPDX-License-Identifier: Apache-2.0 */
/*
 * debug_http: HTTP server of --debugaddr: /debug/vars (JSON), /metrics, /debug/threads, /readyz (200, or 503 while the daemon
 * accepts no builds).
 *
 *	debug_http *h = debug_http_start("127.0.0.1:6060", counters, is_ready, data, error);
 *
 * Everything else answers 404. One connection at a time, each bounded in bytes and time. Thread: the server has its own
 * thread.
 */
#pragma once
#include "base/error.h"

typedef struct debug_http debug_http;
/* Appends "name value" pairs through add. */
typedef void (*debug_counters_fn)(void *data, void (*add)(void *to, const char *name, int64_t value), void *to);

/* address: "host:port", "tcp://host:port" or "unix:///path" (mode 0660). */
debug_http *debug_http_start(const char *address, debug_counters_fn counters, bool (*ready)(void *data), void *data,
			     GError **error);
void debug_http_stop(debug_http *h);
