/* SPDX-License-Identifier: Apache-2.0 */
/* exporter: the client's Exporter service, which names exporters for a result and learns what they made. */
#include "api/message.h"
#include "exporter.pb-c.h"
#include "session/live.h"

#define SERVICE "/moby.exporter.v1.Exporter/"

/* A client without the service, or one that cannot be asked, has no exporters, as upstream. */
static bool is_absent(const GError *error)
{
	return error_is(error, ERROR_UNIMPLEMENTED) || error_is(error, ERROR_UNAVAILABLE);
}

/* No time limit: the client may read the result first. The call ends with the session or the build. */
static void *call(session_registry *r, const char *id, const char *method, const void *request,
		  const ProtobufCMessageDescriptor *reply, cancel *c, bool *ret_absent, GError **error)
{
	g_autoptr(GError) why = NULL;
	*ret_absent = false;
	g_autoptr(session) s = session_find(r, id, SESSION_WAIT_MS, c, error);
	if (!s)
		return NULL;
	void *message = rpc_unary(session_conn(s), method, NULL, request, reply, c, 0, &why);
	if (message)
		return message;
	*ret_absent = is_absent(why) && !cancel_is_set(c);
	if (!*ret_absent)
		g_propagate_error(error, g_steal_pointer(&why));
	return NULL;
}

static void exporter_clear(void *data)
{
	struct session_exporter *e = data;
	g_free(e->type);
	g_hash_table_unref(e->attrs);
}

GArray *session_find_exporters(session_registry *r, const char *id, GHashTable *metadata, const char *const *refs,
			       cancel *c, GError **error)
{
	Exporter__FindExportersRequest *request =
		message_new(Exporter__FindExportersRequest, exporter__find_exporters_request);
	message_set_map(request, metadata, metadata);
	message_set_texts(request, refs, refs);
	bool absent;
	Exporter__FindExportersResponse *reply =
		call(r, id, SERVICE "FindExporters", request, &exporter__find_exporters_response__descriptor, c,
		     &absent, error);
	guard_free(request);
	if (!reply && !absent)
		return NULL;
	GArray *list = g_array_new(FALSE, TRUE, sizeof(struct session_exporter));
	g_array_set_clear_func(list, exporter_clear);
	for (size_t i = 0; reply && i < reply->n_exporters; i++) {
		struct session_exporter e = {.type = g_strdup(reply->exporters[i]->type),
					     .attrs = message_map(reply->exporters[i], attrs)};
		g_array_append_val(list, e);
	}
	guard_free(reply);
	return list;
}

bool session_finalize_export(session_registry *r, const char *id, GHashTable *response, cancel *c, GError **error)
{
	Exporter__FinalizeExportRequest *request =
		message_new(Exporter__FinalizeExportRequest, exporter__finalize_export_request);
	message_set_map(request, exporter_response, response);
	bool absent;
	void *reply = call(r, id, SERVICE "FinalizeExport", request, &exporter__finalize_export_response__descriptor, c,
			   &absent, error);
	guard_free(request);
	guard_free(reply);
	return reply || absent;
}
