/* SPDX-License-Identifier: Apache-2.0 */
/* debug_commands: the subcommands of buildctl debug that have files of their own, and JSON they share. Thread: main. */
#pragma once
#include "command.h"
#include "control.pb-c.h"
#include "format/json_writer.h"

extern const struct command histories_command, dump_llb_command, explain_command, logs_command, monitor_command,
	ctl_command, get_command;
/* WorkerInfo records as upstream's clients print them; one line. */
/* Any event as Go marshals the generated struct: proto field names, zero values left out, maps sorted. */
char *history_json(const Control__BuildHistoryEvent *e);
char *workers_json(const Control__ListWorkersResponse *m);
void version_json(json_writer *w, const Types__BuildkitVersion *v);
