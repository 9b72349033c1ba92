/* SPDX-License-Identifier: Apache-2.0 */
/* debug_commands: subcommands of buildctl debug that are in separate files, and the JSON that they share. Thread: main. */
#pragma once
#include "command.h"
#include "control.pb-c.h"
#include "format/json_writer.h"

extern const struct command histories_command, dump_llb_command, explain_command, logs_command, monitor_command,
	ctl_command, get_command, stuck_command, timeline_command;
/* Formats WorkerInfo records as one line of JSON, with the keys of upstream's client. */
/* Formats any event as Go's encoding/json does the generated struct: proto field names, no zero values, maps sorted. */
char *history_json(const Control__BuildHistoryEvent *e);
char *workers_json(const Control__ListWorkersResponse *m);
void version_json(json_writer *w, const Types__BuildkitVersion *v);
