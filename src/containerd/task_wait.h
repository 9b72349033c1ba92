/* SPDX-License-Identifier: Apache-2.0 */
/*
 * task_wait: the end of a task as a descriptor to poll.
 *
 *	g_autoptr(task_wait) w = task_wait_start(client, id, error);
 *	poll({task_wait_fd(w)})
 *	if (!task_wait_result(w, &code, error)) ...      containerd could not say
 *
 * A thread of its own waits for the answer. Freeing it ends the wait. Thread: one at a time.
 */
#pragma once
#include "containerd/ctd_client.h"

typedef struct task_wait task_wait;

/* The task exists already. */
task_wait *task_wait_start(ctd_client *client, const char *id, GError **error);
void task_wait_free(task_wait *w);
int task_wait_fd(const task_wait *w); /* readable at the end */
/* Waits for it. */
bool task_wait_result(task_wait *w, int *ret_code, GError **error);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(task_wait, task_wait_free)
