/* SPDX-License-Identifier: Apache-2.0 */
/* health: grpc.health.v1 (https://github.com/grpc/grpc/blob/master/doc/health-checking.md). */
#include "rpc/server.h"
#include "api/message.h"
#include "health.pb-c.h"

typedef Health__HealthCheckRequest request_message;
DEFINE_MESSAGE_AUTOPTR(request_message)

static bool is_served(rpc_server *s, const char *service)
{
	return !*service || server_has_service(s, service);
}

static ProtobufCMessage *new_response(Health__HealthCheckResponse__ServingStatus status)
{
	Health__HealthCheckResponse *reply = message_new(Health__HealthCheckResponse, health__health_check_response);
	reply->status = status;
	return &reply->base;
}

static ProtobufCMessage *check(rpc_call *call, const ProtobufCMessage *message, void *data, GError **error)
{
	const Health__HealthCheckRequest *request = (const void *)message;
	if (is_served(data, request->service))
		return new_response(HEALTH__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING);
	return error_null(error, ERROR_NOT_FOUND, "unknown service");
}

static ProtobufCMessage *list(rpc_call *call, const ProtobufCMessage *message, void *data, GError **error)
{
	g_auto(GStrv) names = server_services(data);
	size_t n = g_strv_length(names) + 1;
	Health__HealthListResponse *reply = message_new(Health__HealthListResponse, health__health_list_response);
	reply->statuses = g_new(Health__HealthListResponse__StatusesEntry *, n);
	for (; reply->n_statuses < n; reply->n_statuses++) {
		Health__HealthListResponse__StatusesEntry *entry = message_new(
			Health__HealthListResponse__StatusesEntry, health__health_list_response__statuses_entry);
		entry->key = g_strdup(reply->n_statuses ? names[reply->n_statuses - 1] : "");
		entry->value = (void *)new_response(HEALTH__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING);
		reply->statuses[reply->n_statuses] = entry;
	}
	return &reply->base;
}

static const char told[] = "";

/* The status never changes while the server runs: after the first answer the call waits for its end. */
static enum rpc_turn watch(rpc_call *call, void **state, void *data, GError **error)
{
	if (*state)
		return RPC_TURN_WAIT;
	bool end;
	g_autoptr(GBytes) bytes = rpc_call_poll(call, &end, error);
	g_autoptr(request_message) request = message_unpack(&health__health_check_request__descriptor, bytes, error);
	if (!request)
		return RPC_TURN_FAILED;
	Health__HealthCheckResponse reply = HEALTH__HEALTH_CHECK_RESPONSE__INIT;
	reply.status = is_served(data, request->service)
			       ? HEALTH__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING
			       : HEALTH__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN;
	g_autoptr(GBytes) packed = message_pack(&reply);
	*state = (void *)told;
	gsize n = 0;
	const void *start = g_bytes_get_data(packed, &n);
	return rpc_call_offer(call, start, n, error) ? RPC_TURN_WAIT : RPC_TURN_FAILED;
}

static const struct rpc_method methods[] = {
	{"/grpc.health.v1.Health/Check", &health__health_check_request__descriptor, .unary = check},
	{"/grpc.health.v1.Health/List", &health__health_list_request__descriptor, .unary = list},
	{"/grpc.health.v1.Health/Watch", .turn = watch},
};

void rpc_server_add_health(rpc_server *s)
{
	rpc_server_add(s, methods, G_N_ELEMENTS(methods), s);
}
