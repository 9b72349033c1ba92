/* SPDX-License-Identifier: Apache-2.0 */
/* health: grpc.health.v1 (https://github.com/grpc/grpc/blob/master/doc/health-checking.md). */
#include "rpc/server.h"
#include "api/guard.h"
#include "health.pb-c.h"
#include <poll.h>

typedef Health__HealthCheckRequest request_message;
DEFINE_MESSAGE_AUTOPTR(request_message)

static bool is_served(rpc_server *s, const char *service)
{
	return !*service || server_has_service(s, service);
}

static ProtobufCMessage *new_response(Health__HealthCheckResponse__ServingStatus status)
{
	Health__HealthCheckResponse *reply = g_new(Health__HealthCheckResponse, 1);
	health__health_check_response__init(reply);
	reply->status = status;
	return &reply->base;
}

static ProtobufCMessage *check(rpc_call *call, const ProtobufCMessage *message, void *data, GError **error)
{
	const Health__HealthCheckRequest *request = (const void *)message;
	if (is_served(data, request->service))
		return new_response(HEALTH__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING);
	error_set(error, ERROR_NOT_FOUND, "unknown service");
	return NULL;
}

static ProtobufCMessage *list(rpc_call *call, const ProtobufCMessage *message, void *data, GError **error)
{
	g_auto(GStrv) names = server_services(data);
	size_t n = g_strv_length(names) + 1;
	Health__HealthListResponse *reply = g_new(Health__HealthListResponse, 1);
	health__health_list_response__init(reply);
	reply->statuses = g_new(Health__HealthListResponse__StatusesEntry *, n);
	for (; reply->n_statuses < n; reply->n_statuses++) {
		Health__HealthListResponse__StatusesEntry *entry = g_new(Health__HealthListResponse__StatusesEntry, 1);
		health__health_list_response__statuses_entry__init(entry);
		entry->key = g_strdup(reply->n_statuses ? names[reply->n_statuses - 1] : "");
		entry->value = (void *)new_response(HEALTH__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING);
		reply->statuses[reply->n_statuses] = entry;
	}
	return &reply->base;
}

static bool watch(rpc_call *call, void *data, GError **error)
{
	g_autoptr(request_message) request =
		rpc_call_recv_message(call, &health__health_check_request__descriptor, error);
	if (!request)
		return *error ? false : error_set(error, ERROR_INTERNAL, "no request");
	Health__HealthCheckResponse reply = HEALTH__HEALTH_CHECK_RESPONSE__INIT;
	reply.status = is_served(data, request->service)
			       ? HEALTH__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING
			       : HEALTH__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN;
	if (!rpc_call_send_message(call, &reply, error))
		return false;
	/* The status never changes while the server lives. */
	cancel *end = rpc_call_cancel(call);
	struct pollfd p = {.fd = cancel_fd(end), .events = POLLIN};
	while (!cancel_is_set(end))
		poll(&p, 1, -1);
	return cancel_check(end, error);
}

static const struct rpc_method methods[] = {
	{"/grpc.health.v1.Health/Check", &health__health_check_request__descriptor, .unary = check},
	{"/grpc.health.v1.Health/List", &health__health_list_request__descriptor, .unary = list},
	{"/grpc.health.v1.Health/Watch", .stream = watch},
};

void rpc_server_add_health(rpc_server *s)
{
	rpc_server_add(s, methods, G_N_ELEMENTS(methods), s);
}
