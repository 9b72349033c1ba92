/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plugin: runs one CNI plugin (CNI specification 1.0, section 2) as a process with bounded output and time.
 *
 *	struct plugin_call call = {.command = "ADD", .dirs = dirs, .container_id = id, .netns = path, .ifname = "eth0"};
 *	g_autoptr(json_t) result = plugin_run(&call, "bridge", input, cancel, error);
 *
 * Thread: any; blocks until the plugin has exited.
 */
#pragma once
#include "base/cancel.h"
#include "format/json_writer.h"

struct plugin_call {
	const char *command;     /* "ADD" or "DEL" */
	const char *const *dirs; /* directories of plugins, absolute */
	const char *container_id, *netns, *ifname;
	const char *args;   /* CNI_ARGS; NULL: none */
	int64_t timeout_ms; /* 0: LIMIT_CNI_PLUGIN_MS */
};
/*
 * Returns the result of ADD, or an empty object for DEL. Errors: NOT_FOUND no such plugin; UNKNOWN the plugin's message,
 * or a result that is not a JSON object; DEADLINE_EXCEEDED; the cancellation, after which the plugin is killed.
 */
json_t *plugin_run(const struct plugin_call *call, const char *type, const json_t *input, cancel *c, GError **error);
