/* SPDX-License-Identifier: Apache-2.0 */
#include "control/control.h"
#include "api/message.h"
#include "control.pb-c.h"
#include <string.h>

static Control__UsageRecord *usage_to_wire(const struct cache_usage *u)
{
	Control__UsageRecord *wire = message_new(Control__UsageRecord, control__usage_record);
	wire->id = g_strdup(u->id);
	wire->mutable_ = u->mutable_;
	wire->inuse = u->in_use;
	wire->size = u->size;
	wire->createdat = message_time_new(u->created_ns);
	wire->lastusedat = message_time_new(u->last_used_ns);
	wire->usagecount = u->usage_count;
	wire->description = g_strdup(u->description);
	wire->recordtype = g_strdup(u->record_type);
	wire->shared = u->shared;
	message_set_texts(wire, parents, u->parents);
	return wire;
}

ProtobufCMessage *control_disk_usage(rpc_call *call, const ProtobufCMessage *request, void *data, GError **error)
{
	struct control *control = data;
	const Control__DiskUsageRequest *m = (const void *)request;
	g_autofree const char **filters = message_texts(m->filter, m->n_filter);
	int64_t newest = m->agelimit > 0 ? progress_now_ns() - m->agelimit : INT64_MAX;
	size_t n;
	worker *const *workers = builder_workers(control->builder, &n);
	Control__DiskUsageResponse *reply = message_new(Control__DiskUsageResponse, control__disk_usage_response);
	for (size_t i = 0; i < n; i++) {
		g_autoptr(GPtrArray) rows = cache_disk_usage(workers[i]->cache, filters, error);
		if (!rows) {
			guard_free(reply);
			return NULL;
		}
		reply->record = g_renew(Control__UsageRecord *, reply->record, reply->n_record + rows->len);
		for (guint k = 0; k < rows->len; k++) {
			const struct cache_usage *u = rows->pdata[k];
			if (newest == INT64_MAX || MAX(u->last_used_ns, u->created_ns) <= newest)
				reply->record[reply->n_record++] = usage_to_wire(u);
		}
	}
	return &reply->base;
}

/* Sends records while they are removed; stops at the next record if the client has disconnected. */
struct pruning {
	rpc_call *call;
	GError *error;
};

static void send_removed(void *data, const struct cache_usage *u)
{
	struct pruning *p = data;
	if (p->error)
		return;
	Control__UsageRecord *wire = usage_to_wire(u);
	rpc_call_send_message(p->call, wire, &p->error);
	guard_free(wire);
}

bool control_prune(rpc_call *call, void *data, GError **error)
{
	struct control *control = data;
	Control__PruneRequest *m = rpc_call_recv_message(call, &control__prune_request__descriptor, error);
	if (!m)
		return false;
	g_autofree const char **filters = message_texts(m->filter, m->n_filter);
	struct cache_prune_options options = {
		.filters = filters,
		.all = m->all,
		.keep_duration_ns = m->keepduration,
		.reserved_bytes = m->reservedspace,
		.max_used_bytes = m->maxusedspace,
		.min_free_bytes = m->minfreespace,
	};
	struct pruning p = {.call = call};
	size_t n;
	worker *const *workers = builder_workers(control->builder, &n);
	bool ok = true;
	for (size_t i = 0; i < n && ok; i++)
		ok = cache_prune(workers[i]->cache, &options, rpc_call_cancel(call), send_removed, &p, error);
	if (ok && p.error) {
		g_propagate_error(error, g_steal_pointer(&p.error));
		ok = false;
	}
	g_clear_error(&p.error);
	guard_free(m);
	return ok;
}
