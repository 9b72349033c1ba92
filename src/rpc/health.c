/* SPDX-License-Identifier: Apache-2.0 */
/* health: grpc.health.v1 (https://github.com/grpc/grpc/blob/master/doc/health-checking.md). */
#include "rpc/server.h"
#include "api/message.h"
#include "health.pb-c.h"

typedef Health__HealthCheckRequest request_message;
DEFINE_MESSAGE_AUTOPTR(request_message)

typedef Health__HealthCheckResponse__ServingStatus serving_status;

static serving_status status_of(rpc_server *s, const char *service)
{
	if (*service && !server_has_service(s, service))
		return HEALTH__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN;
	return rpc_server_is_serving(s) ? HEALTH__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING
					: HEALTH__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING;
}

static ProtobufCMessage *new_response(serving_status status)
{
	Health__HealthCheckResponse *reply = message_new(Health__HealthCheckResponse, health__health_check_response);
	reply->status = status;
	return &reply->base;
}

static ProtobufCMessage *check(rpc_call *call, const ProtobufCMessage *message, void *data, GError **error)
{
	const Health__HealthCheckRequest *request = (const void *)message;
	serving_status status = status_of(data, request->service);
	if (status != HEALTH__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN)
		return new_response(status);
	return error_null(error, ERROR_NOT_FOUND, "unknown service");
}

static ProtobufCMessage *list(rpc_call *call, const ProtobufCMessage *message, void *data, GError **error)
{
	serving_status status = status_of(data, "");
	g_auto(GStrv) names = server_services(data);
	size_t n = g_strv_length(names) + 1;
	Health__HealthListResponse *reply = message_new(Health__HealthListResponse, health__health_list_response);
	reply->statuses = g_new(Health__HealthListResponse__StatusesEntry *, n);
	for (; reply->n_statuses < n; reply->n_statuses++) {
		Health__HealthListResponse__StatusesEntry *entry = message_new(
			Health__HealthListResponse__StatusesEntry, health__health_list_response__statuses_entry);
		entry->key = g_strdup(reply->n_statuses ? names[reply->n_statuses - 1] : "");
		entry->value = (void *)new_response(status);
		reply->statuses[reply->n_statuses] = entry;
	}
	return &reply->base;
}

struct health_watch {
	rpc_call *call; /* borrowed */
	char *service;  /* owned */
	bool has_sent;
	serving_status sent;
};

static struct health_watch *watch_begin(rpc_call *call, rpc_server *s, GError **error)
{
	bool end;
	g_autoptr(GBytes) bytes = rpc_call_poll(call, &end, error);
	g_autoptr(request_message) request = message_unpack(&health__health_check_request__descriptor, bytes, error);
	if (!request)
		return NULL;
	struct health_watch *w = g_new0(struct health_watch, 1);
	w->call = call;
	w->service = g_strdup(request->service);
	server_add_health_watcher(s, call);
	return w;
}

/* Sends the status at the begin and after each change. */
static enum rpc_turn watch(rpc_call *call, void **state, void *data, GError **error)
{
	if (!*state && !(*state = watch_begin(call, data, error)))
		return RPC_TURN_FAILED;
	struct health_watch *w = *state;
	serving_status status = status_of(data, w->service);
	if ((w->has_sent && w->sent == status) || !rpc_call_has_room(call))
		return RPC_TURN_WAIT;
	w->has_sent = true;
	w->sent = status;
	Health__HealthCheckResponse reply = HEALTH__HEALTH_CHECK_RESPONSE__INIT;
	reply.status = status;
	g_autoptr(GBytes) packed = message_pack(&reply);
	gsize n = 0;
	const void *start = g_bytes_get_data(packed, &n);
	return rpc_call_offer(call, start, n, error) ? RPC_TURN_WAIT : RPC_TURN_FAILED;
}

static void watch_free(void *state, void *data)
{
	struct health_watch *w = state;
	server_remove_health_watcher(data, w->call);
	g_free(w->service);
	g_free(w);
}

static const struct rpc_method methods[] = {
	{"/grpc.health.v1.Health/Check", &health__health_check_request__descriptor, .unary = check},
	{"/grpc.health.v1.Health/List", &health__health_list_request__descriptor, .unary = list},
	{"/grpc.health.v1.Health/Watch", .turn = watch, .free_state = watch_free},
};

void rpc_server_add_health(rpc_server *s)
{
	rpc_server_add(s, methods, G_N_ELEMENTS(methods), s);
}
