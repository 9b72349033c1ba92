/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exec_process: one process of an ExecProcess stream: its messages to the client, its input, its end.
 *
 *	exec_process *p = exec_process_start(sender, id, container, init, stop, error);   Started, File, Exit, Done follow
 *	exec_process_write(p, fd, bytes, n, eof, stop, error);
 *	exec_process_close_input(p);             no further input comes
 *	exec_process_free(p);                    waits for its end
 *
 * Output is sent by a thread of the process, which waits for the client: a client that does not read stops the process.
 * Thread: one for these functions.
 */
#pragma once
#include "container/container.h"
#include "gateway.pb-c.h"
#include "rpc/rpc.h"

typedef struct exec_process exec_process;

/* The sending direction of the call, shared by the processes of the stream. */
struct exec_sender {
	rpc_call *call; /* borrowed */
	GMutex mu;      /* one message at a time */
};

/* Secrets are read before it returns; stop ends that. Errors: those of container_start. */
exec_process *exec_process_start(struct exec_sender *sender, const char *id, container *c,
				 const Gateway__InitMessage *init, cancel *stop, GError **error);
/*
 * Waits while LIMIT_EXEC_INPUT_BYTES are unread. Input after the process's end is dropped. Errors: OUT_OF_RANGE "fd N
 * unavailable to write".
 */
bool exec_process_write(exec_process *p, uint32_t fd, const void *bytes, size_t n, bool eof, cancel *stop,
			GError **error);
bool exec_process_signal(exec_process *p, const char *name, cancel *stop, GError **error);
bool exec_process_resize(exec_process *p, struct step_size size, cancel *stop, GError **error);
void exec_process_close_input(exec_process *p);
/* Kills it; nothing more is sent. */
void exec_process_cancel(exec_process *p);
/* Reports whether everything has been sent. */
bool exec_process_is_done(exec_process *p);
void exec_process_free(exec_process *p);

/* Returns the number of a signal by its name without SIG; 0: unknown. */
int exec_signal_number(const char *name);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(exec_process, exec_process_free)
