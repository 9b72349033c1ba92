/* SPDX-License-Identifier: Apache-2.0 */
/*
 * debug_http: HTTP server of --debugaddr: /debug/vars (JSON), /metrics, /debug/threads, /readyz (200, or 503 while the daemon
 * accepts no builds), and the pages about builds (control/pages.h), which need a token on tcp (debug_access.h).
 *
 *	debug_http *h = debug_http_start("127.0.0.1:6060", &source, error);
 *
 * Everything else answers 404. Thread: the server has its own thread (debug_server.h).
 */
#pragma once
#include "builder/build.h"

typedef struct debug_http debug_http;
/* What the pages show. Functions run on the server's thread, with data. */
struct debug_source {
	/* Appends "name value" pairs through add. */
	void (*counters)(void *data, void (*add)(void *to, const char *name, int64_t value), void *to);
	void (*metrics)(void *data, GString *out); /* further metrics, in Prometheus' text format */
	bool (*ready)(void *data);
	void *data;
	builder *builder; /* borrowed: the builds that are shown */
	int root_fd;      /* borrowed: of the state directory, where the token is */
};

/* address: "host:port", "tcp://host:port" or "unix:///path" (mode 0660). shown is copied. */
debug_http *debug_http_start(const char *address, const struct debug_source *shown, GError **error);
void debug_http_stop(debug_http *h);
