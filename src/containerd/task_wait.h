/* SPDX-License-Identifier: Apache-2.0 */
/*
 * task_wait: a descriptor that becomes readable when a process of a task exits.
 *
 *	g_autoptr(task_wait) w = task_wait_start(client, id, NULL, error);
 *	poll({task_wait_fd(w)})
 *	if (!task_wait_result(w, &code, error)) ...      containerd failed
 *
 * A separate thread waits for the reply. Freeing the object ends the wait. Thread: one at a time.
 */
#pragma once
#include "containerd/ctd_client.h"

typedef struct task_wait task_wait;

/* The task must exist. exec_id: one of its further processes; NULL: the first one. */
task_wait *task_wait_start(ctd_client *client, const char *id, const char *exec_id, GError **error);
void task_wait_free(task_wait *w);
int task_wait_fd(const task_wait *w); /* readable when the task has exited */
/* Waits for the exit status. */
bool task_wait_result(task_wait *w, int *ret_code, GError **error);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(task_wait, task_wait_free)
