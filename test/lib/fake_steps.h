/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake_steps: processes of containers that do what a test says, and mounts that all show one directory. It replaces the
 * functions of executor/executor.h that run processes and those of ops/exec_mounts.h.
 *
 *	fake_steps_init();
 *	... container_start ...
 *	struct fake_step *s = fake_steps_wait(0);          executor_run or executor_exec was called
 *	fake_step_start(s);
 *	fake_step_write(s, 1, "output");
 *	fake_step_exit(s, 3);
 *	... container_release ...
 *	fake_steps_clear();                                fails if a process runs or mounts are open
 *
 * A canceled process ends as a killed one. Waits fail the test after 30 s. Thread: any.
 */
#pragma once
#include "executor/step_process.h"
#include "lib/event.h"

struct fake_step { /* one call of executor_run or executor_exec */
	bool further;
	char *call; /* owned: how it was called */
	GMutex mu;  /* guards the rest */
	GCond changed;
	step_process *handle; /* owned */
	const struct step_io *io;
	int fds[3];          /* owned: the process's ends; -1: none */
	GString *seen;       /* "signal 15\n", "resize 24x80\n" */
	const char *refusal; /* the error of signals and sizes; NULL: they succeed */
	bool ended;          /* what follows is the result */
	bool ran;
	struct step_exit exit;
	GError *error; /* owned */
};
struct fake_steps {
	/* Called on the thread of each process, which ends when it returns. NULL: the test says what happens. */
	void (*behave)(struct fake_step *s, cancel *stop);
	const char *mounts_error;    /* of exec_mounts_new; NULL: it succeeds */
	bool mounts_wait;            /* exec_mounts_new waits until it is canceled */
	struct event mounts_waiting; /* it does */
	char *mounts_call;           /* owned: how it was called last */
	gint open_mounts;
	int tree_fd; /* the directory that mounts show; the owner of tree_path creates files in it */
	char *tree_path;
};
extern struct fake_steps fake_steps;

void fake_steps_init(void);
void fake_steps_clear(void);
/* Frees the processes, which have ended, so that the next one has number 0 again. */
void fake_steps_reset(void);
/* Waits for the process with this number, counted from 0. Borrowed until fake_steps_reset. */
struct fake_step *fake_steps_wait(guint n);
guint fake_steps_count(void);

void fake_step_start(struct fake_step *s);
void fake_step_write(struct fake_step *s, int stream, const char *text);
/* Closes the process's end. */
void fake_step_close(struct fake_step *s, int stream);
/* Fails unless the process reads this text; with eof: and then the end of its input. */
void fake_step_expect_input(struct fake_step *s, const char *text, bool eof);
/* Waits until this was seen. */
void fake_step_expect(struct fake_step *s, const char *text);
/* The process ends: a code, no memory, or it could not be run. */
void fake_step_exit(struct fake_step *s, int code);
void fake_step_oom(struct fake_step *s);
void fake_step_fail(struct fake_step *s, enum error_code code, const char *text);
/* Waits until the process has ended. */
void fake_step_wait_end(struct fake_step *s);
