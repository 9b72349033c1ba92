/* SPDX-License-Identifier: Apache-2.0 */
/*
 * step_process: the handle of a running process, and the streams between it and its caller.
 *
 *	step_process *p = step_process_new();
 *	struct step_ends ends;
 *	step_ends_open(&ends, io, error)              the process gets ends.theirs
 *	step_process_start(p, io, &class, self, ends.ours);
 *	... the process runs: class is called on other threads ...
 *	step_process_end(p);                          self may be freed
 *
 * Between start and end, self is borrowed. Thread: any (.mu).
 */
#pragma once
#include "executor/executor.h"

struct step_process_class { /* on any thread, until step_process_end */
	bool (*signal)(void *self, int signal, GError **error);
	bool (*resize)(void *self, struct step_size size, GError **error);
};
step_process *step_process_new(void);
/* Calls io->started, at most once per handle. fds are taken: those that io does not take are closed. */
void step_process_start(step_process *p, const struct step_io *io, const struct step_process_class *class, void *self,
			int *fds);
/* Keeps self valid until leave. Returns it; NULL: the process has ended. */
void *step_process_enter(step_process *p);
void step_process_leave(step_process *p);
/* Waits until no one is inside. */
void step_process_end(step_process *p);

struct step_ends {
	int ours[3], theirs[3]; /* owned; -1: none */
};
/* Creates a pipe for each such stream, none for a terminal. */
bool step_ends_open(struct step_ends *ends, const struct step_io *io, GError **error);
/*
 * Creates a terminal through which a runtime passes on what the terminal of the container reads and writes, so it changes
 * nothing (raw): theirs is its user side, ours (0 and 1) the other.
 */
bool step_ends_open_terminal(struct step_ends *ends, struct step_size size, GError **error);
void step_ends_close_theirs(struct step_ends *ends);
void step_ends_clear(struct step_ends *ends);
/* Sets both of our ends to a terminal's other side, which is taken. */
bool step_ends_set_terminal(struct step_ends *ends, int fd, GError **error);
bool step_terminal_resize(int fd, struct step_size size, GError **error);
/* Writes a line to the user side of a terminal whose other side is fd. */
void step_terminal_write_line(int fd, const char *line);

static inline bool step_io_is_log(const struct step_io *io, int stream)
{
	return !io || (!io->terminal && io->streams[stream] == STEP_STREAM_LOG);
}
