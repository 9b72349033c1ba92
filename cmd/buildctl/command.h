/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command: a buildctl command, described by one table row with its flags and its function.
 *
 *	const struct command du_command = {"du", "disk usage", flags, G_N_ELEMENTS(flags), run};
 *
 * A command returns false with an error, which main prints. Thread: main.
 */
#pragma once
#include "base/cancel.h"
#include "client/connection.h"
#include "format/flags.h"
#include "rpc/rpc.h"

/* State shared by all commands: global flags and the connection, opened at first use. */
struct context {
	const flags *global;
	rpc_loop *loop;
	rpc_conn *conn; /* owned once connected */
	cancel *cancel; /* set by Ctrl-C */
};
/* Borrowed from the context. Errors: UNAVAILABLE. */
rpc_conn *context_connect(struct context *x, const char *what, GError **error);

struct command {
	const char *name;
	const char *usage; /* NULL: hidden */
	const struct flag *flags;
	size_t n_flags;
	bool (*run)(struct context *x, const flags *f, GError **error);
	const struct command *const *sub; /* NULL-terminated, or NULL */
	const char *arguments;            /* arguments in the usage line; NULL: "[options]" */
	const char *alias;
	const char *example; /* example command line, or NULL */
};
extern const struct command build_command, du_command, prune_command, prune_histories_command, debug_command,
	dial_stdio_command, completion_command;

/* All commands and global flags; help, manual page and completion are generated from them (commands.c). */
extern const struct flag buildctl_flags[];
extern const size_t buildctl_n_flags;
extern const struct command *const buildctl_commands[]; /* NULL-terminated */
/* buildctl and its commands, for manual.h. Element type: struct manual_command *; g_ptr_array_unref. */
GPtrArray *buildctl_manual_commands(void);
const struct command *command_find(const struct command *const *list, const char *name); /* by name or alias, or NULL */

#define FORMAT_FLAG                                                                                                    \
	{                                                                                                              \
		"format", NULL, FLAG_STRING, NULL, NULL, "Go template for the output, or json"                         \
	}

/*
 * Prefixes the error of a failed call: "<what>: <CodeName>: <message>", without the code if it is Unknown. Returns
 * false.
 */
bool call_failed(const char *what, GError **error);

/* Writes text to standard output; a partial write is an error. */
bool print_text(const char *text, GError **error);
