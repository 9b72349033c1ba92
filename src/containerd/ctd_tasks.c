/* SPDX-License-Identifier: Apache-2.0 */
#include "containerd/ctd_tasks.h"
#include "api/guard.h"
#include "base/scope.h"
#include "containerd/shims.h"
#include "containerd/ctd_process.h"
#include "ctd_containers.pb-c.h"
#include "ctd_tasks.pb-c.h"

#define CONTAINERS "/containerd.services.containers.v1.Containers/"
#define TASKS "/containerd.services.tasks.v1.Tasks/"
#define SPEC_TYPE "types.containerd.io/opencontainers/runtime-spec/1/Spec"
#define LABEL "buildkit/worker" /* label of our containers; its value is the worker's id */
#define KILL_INTERVAL_MS 50
#define DELETE_TRIES 100
#define UNAVAILABLE_TRIES 5
#define SHIM_TRIES 20
#define SHIM_INTERVAL_US (100 * 1000)

DEFINE_MESSAGE_AUTOPTR(CtdContainers__ListContainersResponse)

struct ctd_tasks {
	ctd_client *client; /* borrowed */
	char *runtime, *runtime_path;
	GBytes *options; /* of the runtime, packed */
	const char *options_type;
	struct bundle_runner runner;
	GMutex mu;
	GHashTable *steps; /* set of ids (owned) of steps between run and end */
};

static char *borrow(const char *text)
{
	return (char *)(uintptr_t)text;
}

/* ---- calls */
static bool create_container(ctd_tasks *t, const struct runtime_call *call, GError **error)
{
	CtdContainers__CreateContainerRequest request = CTD_CONTAINERS__CREATE_CONTAINER_REQUEST__INIT;
	CtdContainers__Container container = CTD_CONTAINERS__CONTAINER__INIT;
	CtdContainers__Container__LabelsEntry label = CTD_CONTAINERS__CONTAINER__LABELS_ENTRY__INIT;
	CtdContainers__Container__LabelsEntry *labels[] = {&label};
	CtdContainers__Container__Runtime runtime = CTD_CONTAINERS__CONTAINER__RUNTIME__INIT;
	Google__Any spec = GOOGLE__ANY__INIT, options = GOOGLE__ANY__INIT;
	g_autofree char *path = g_build_filename(call->bundle, "config.json", NULL);
	g_autofree char *json = NULL;
	if (!g_file_get_contents(path, &json, &spec.value.len, error))
		return false;
	spec.type_url = borrow(SPEC_TYPE);
	spec.value.data = (uint8_t *)json;
	options.type_url = borrow(t->options_type);
	options.value.data = (uint8_t *)(uintptr_t)g_bytes_get_data(t->options, &options.value.len);
	runtime.name = t->runtime;
	runtime.options = &options;
	label.key = borrow(LABEL);
	label.value = borrow(ctd_client_worker(t->client));
	container.id = borrow(call->id);
	container.labels = labels;
	container.n_labels = 1;
	container.runtime = &runtime;
	container.spec = &spec;
	request.container = &container;
	void *reply = ctd_call(t->client, CTD_PLAIN, CONTAINERS "Create", &request,
			       &ctd_containers__create_container_response__descriptor, call->cancel, error);
	guard_free(reply);
	return reply != NULL;
}

/* Returns true if there is no task (any more). ret_was: there was one. */
static bool delete_task(ctd_tasks *t, const char *id, bool *ret_was, GError **error)
{
	CtdTasks__DeleteTaskRequest request = CTD_TASKS__DELETE_TASK_REQUEST__INIT;
	GError *failure = NULL;
	request.container_id = borrow(id);
	void *reply = ctd_call(t->client, CTD_PLAIN, TASKS "Delete", &request, &ctd_tasks__delete_response__descriptor,
			       NULL, &failure);
	guard_free(reply);
	bool gone = reply || error_is(failure, ERROR_NOT_FOUND);
	*ret_was = *ret_was || !error_is(failure, ERROR_NOT_FOUND);
	if (!gone)
		g_propagate_error(error, g_steal_pointer(&failure));
	g_clear_error(&failure);
	return gone;
}

/* Reports whether it had a task. */
static bool remove_container(ctd_tasks *t, const char *id)
{
	CtdContainers__DeleteContainerRequest request = CTD_CONTAINERS__DELETE_CONTAINER_REQUEST__INIT;
	bool had_task = false;
	request.id = borrow(id);
	for (int i = 0; i < DELETE_TRIES; i++) {
		g_autoptr(GError) failure = NULL;
		if (delete_task(t, id, &had_task, &failure))
			break;
		/* The shim may have exited; if containerd has, this is done after reconnecting. */
		if (error_is(failure, ERROR_UNAVAILABLE) && i >= UNAVAILABLE_TRIES)
			return true;
		ctd_process_kill_all(t->client, id);
		g_usleep(KILL_INTERVAL_MS * 1000);
	}
	ctd_remove(t->client, CTD_PLAIN, CONTAINERS "Delete", &request, NULL);
	return had_task;
}

/* ---- running steps */
static bool tasks_run(void *self, const struct runtime_call *call, int *ret_code, GError **error)
{
	ctd_tasks *t = self;
	if (call->exec_id)
		return ctd_process_run(t->client, t->runtime_path, call, ret_code, error);
	g_mutex_lock(&t->mu);
	g_hash_table_add(t->steps, g_strdup(call->id));
	g_mutex_unlock(&t->mu);
	GError *failure = NULL;
	if (create_container(t, call, &failure) &&
	    ctd_process_run(t->client, t->runtime_path, call, ret_code, &failure))
		return true;
	/* containerd may have exited while its shim and the task still run. */
	cgroup_kill(call->cgroups, call->cgroup_path);
	return error_propagate(error, failure);
}

static void tasks_end(void *self, const char *id)
{
	ctd_tasks *t = self;
	remove_container(t, id);
	g_mutex_lock(&t->mu);
	g_hash_table_remove(t->steps, id);
	g_mutex_unlock(&t->mu);
}

/* ---- cleanup */
/*
 * A task that was being created when its creator exited: containerd gives up, but processes that it started may still
 * appear. Waits no longer than a start takes.
 */
static void end_starts(GHashTable *ids)
{
	for (int i = 0; i < SHIM_TRIES && g_hash_table_size(ids) > 0; i++) {
		if (i > 0)
			g_usleep(SHIM_INTERVAL_US);
		shims_kill(ids);
	}
}

static void remove_leftovers(void *self)
{
	ctd_tasks *t = self;
	g_autofree char *filter = g_strdup_printf("labels.\"" LABEL "\"==%s", ctd_client_worker(t->client));
	char *filters[] = {filter};
	CtdContainers__ListContainersRequest request = CTD_CONTAINERS__LIST_CONTAINERS_REQUEST__INIT;
	request.filters = filters;
	request.n_filters = 1;
	g_autoptr(GHashTable) taskless = g_hash_table_new(g_str_hash, g_str_equal);
	g_autoptr(CtdContainers__ListContainersResponse) reply =
		ctd_call(t->client, CTD_PLAIN, CONTAINERS "List", &request,
			 &ctd_containers__list_containers_response__descriptor, NULL, NULL);
	for (size_t i = 0; reply && i < reply->n_containers; i++) {
		const char *id = reply->containers[i]->id;
		g_mutex_lock(&t->mu);
		bool running = g_hash_table_contains(t->steps, id);
		g_mutex_unlock(&t->mu);
		if (!running && !remove_container(t, id))
			g_hash_table_add(taskless, reply->containers[i]->id);
	}
	end_starts(taskless);
}

ctd_tasks *ctd_tasks_new(ctd_client *client, const struct ctd_runtime *runtime, GError **error)
{
	const char *type;
	GBytes *options = ctd_runtime_options(runtime, &type, error);
	if (!options)
		return NULL;
	ctd_tasks *t = g_new0(ctd_tasks, 1);
	g_mutex_init(&t->mu);
	t->client = client;
	t->runtime = g_strdup(runtime->name);
	t->runtime_path = g_strdup(runtime->path ? runtime->path : "");
	t->options = options;
	t->options_type = type;
	t->steps = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	t->runner = (struct bundle_runner){.name = t->runtime, .run = tasks_run, .end = tasks_end, .self = t};
	remove_leftovers(t);
	ctd_client_on_connect(client, remove_leftovers, t);
	return t;
}

void ctd_tasks_free(ctd_tasks *t)
{
	if (!t)
		return;
	g_hash_table_unref(t->steps);
	g_bytes_unref(t->options);
	g_mutex_clear(&t->mu);
	g_free(t->runtime);
	g_free(t->runtime_path);
	g_free(t);
}

const struct bundle_runner *ctd_tasks_runner(const ctd_tasks *t)
{
	return &t->runner;
}
