/* SPDX-License-Identifier: Apache-2.0 */
#include "control/control.h"
#include "api/message.h"
#include "control.pb-c.h"
#include "format/filter.h"
#include "frontend/gateway/wire.h"
#include <string.h>

static const char *lookup(const void *row, const char *const *path, size_t n_path)
{
	const worker *w = row;
	if (n_path == 1 && strcmp(path[0], "id") == 0)
		return w->id;
	if (n_path == 2 && strcmp(path[0], "labels") == 0)
		return g_hash_table_lookup(w->labels, path[1]);
	return NULL;
}

ProtobufCMessage *control_list_workers(rpc_call *call, const ProtobufCMessage *request, void *data, GError **error)
{
	struct control *control = data;
	const Control__ListWorkersRequest *m = (const void *)request;
	g_autofree const char **list = message_texts(m->filter, m->n_filter);
	g_autoptr(filter) f = filter_new(list, error);
	if (!f)
		return NULL;
	size_t n;
	worker *const *workers = builder_workers(control->builder, &n);
	Control__ListWorkersResponse *reply = message_new(Control__ListWorkersResponse, control__list_workers_response);
	reply->record = g_new0(Types__WorkerRecord *, n);
	for (size_t i = 0; i < n; i++)
		if (filter_match(f, lookup, workers[i]))
			reply->record[reply->n_record++] = gateway_worker_record_new(workers[i]);
	return &reply->base;
}

ProtobufCMessage *control_info(rpc_call *call, const ProtobufCMessage *request, void *data, GError **error)
{
	Control__InfoResponse *reply = message_new(Control__InfoResponse, control__info_response);
	reply->buildkitversion = gateway_version_new();
	return &reply->base;
}
