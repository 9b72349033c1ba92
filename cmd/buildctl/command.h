/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command: what every buildctl command is: a row with its flags and its function.
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

/* What all commands share: the global flags and the connection, made at the first use. */
struct context {
	const flags *global;
	rpc_loop *loop;
	rpc_conn *conn;  /* owned once connected */
	cancel *cancel;  /* set by Ctrl-C */
};
/* Borrowed from the context. Errors: UNAVAILABLE. */
rpc_conn *context_connect(struct context *x, GError **error);

struct command {
	const char *name;
	const char *usage; /* NULL: hidden */
	const struct flag *flags;
	size_t n_flags;
	bool (*run)(struct context *x, const flags *f, GError **error);
	const struct command *const *sub; /* NULL-terminated, or NULL */
	const char *arguments;            /* "[arguments...]" text of the help, NULL: "[command options]" */
	const char *alias;
};
extern const struct command build_command, du_command, prune_command, prune_histories_command, debug_command,
	dial_stdio_command;

/* A call failed: "<what>: <CodeName>: <message>", the code left out when it is Unknown. Returns false. */
bool call_failed(const char *what, GError **error);

/* Standard output, whole or an error. */
bool print_text(const char *text, GError **error);
