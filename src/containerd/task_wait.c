/* SPDX-License-Identifier: Apache-2.0 */
#include "containerd/task_wait.h"
#include "base/thread.h"
#include "api/guard.h"
#include "base/scope.h"
#include "ctd_tasks.pb-c.h"
#include <sys/eventfd.h>

struct task_wait {
	ctd_client *client; /* borrowed */
	char *id, *exec_id; /* exec_id may be NULL */
	cancel *stop;       /* ref */
	GThread *thread;    /* NULL: joined */
	int fd;             /* owned */
	int code;           /* this and the next member belong to the thread until it is joined */
	GError *error;
};

static gpointer run(gpointer data)
{
	task_wait *w = data;
	CtdTasks__WaitRequest request = CTD_TASKS__WAIT_REQUEST__INIT;
	request.container_id = w->id;
	if (w->exec_id)
		request.exec_id = w->exec_id;
	CtdTasks__WaitResponse *reply = ctd_call(w->client, CTD_ENDLESS, "/containerd.services.tasks.v1.Tasks/Wait",
						 &request, &ctd_tasks__wait_response__descriptor, w->stop, &w->error);
	if (reply)
		w->code = (int)reply->exit_status;
	guard_free(reply);
	const uint64_t one = 1;
	while (write(w->fd, &one, sizeof one) < 0 && errno == EINTR)
		;
	return NULL;
}

task_wait *task_wait_start(ctd_client *client, const char *id, const char *exec_id, GError **error)
{
	task_wait *w = g_new0(task_wait, 1);
	w->client = client;
	w->id = g_strdup(id);
	w->exec_id = g_strdup(exec_id);
	w->stop = cancel_new(NULL);
	w->fd = eventfd(0, EFD_CLOEXEC);
	if (w->fd < 0)
		error_set_errno(error, errno, "eventfd");
	else
		w->thread = thread_start("wait", run, w, error);
	if (w->thread)
		return w;
	task_wait_free(w);
	return NULL;
}

static void join(task_wait *w)
{
	if (w->thread)
		g_thread_join(g_steal_pointer(&w->thread));
}

void task_wait_free(task_wait *w)
{
	cancel_set(w->stop, ERROR_CANCELED, NULL);
	join(w);
	fd_close(&w->fd);
	cancel_unref(w->stop);
	g_clear_error(&w->error);
	g_free(w->id);
	g_free(w->exec_id);
	g_free(w);
}

int task_wait_fd(const task_wait *w)
{
	return w->fd;
}

bool task_wait_result(task_wait *w, int *ret_code, GError **error)
{
	join(w);
	if (w->error)
		return error_propagate(error, g_steal_pointer(&w->error));
	*ret_code = w->code;
	return true;
}
