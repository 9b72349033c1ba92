/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/rpc.h"
#include "api/guard.h"
#include "status.pb-c.h"

#define TYPE_PREFIX "github.com/moby/buildkit/"
#define TYPE_SUFFIX "+json"

/* A detail of another form keeps its whole type_url as the type, and its bytes when they are text. */
static char *url_of_type(const char *type)
{
	return strchr(type, '/') ? g_strdup(type) : g_strconcat(TYPE_PREFIX, type, TYPE_SUFFIX, NULL);
}

static char *type_of_url(const char *url)
{
	size_t n = strlen(url);
	size_t around = strlen(TYPE_PREFIX) + strlen(TYPE_SUFFIX);
	if (n > around && g_str_has_prefix(url, TYPE_PREFIX) && g_str_has_suffix(url, TYPE_SUFFIX))
		return g_strndup(url + strlen(TYPE_PREFIX), n - around);
	return g_strdup(url);
}

GBytes *rpc_status_pack(const GError *error)
{
	const GPtrArray *details = error ? error_get_details(error) : NULL;
	guint n = details ? details->len : 0;
	g_autofree Google__Any *anys = g_new0(Google__Any, n);
	g_autofree Google__Any **list = g_new0(Google__Any *, n);
	Google__Status status = GOOGLE__STATUS__INIT;
	g_autofree char *message = error ? g_utf8_make_valid(error->message, -1) : NULL;
	status.code = error ? (int32_t)error_get_code(error) : 0;
	if (message)
		status.message = message;
	status.n_details = n;
	status.details = list;
	for (guint i = 0; i < n; i++) {
		const struct error_detail *detail = details->pdata[i];
		google__any__init(&anys[i]);
		anys[i].type_url = url_of_type(detail->type);
		anys[i].value = (ProtobufCBinaryData){strlen(detail->json), (uint8_t *)detail->json};
		list[i] = &anys[i];
	}
	GBytes *packed = message_pack(&status);
	for (guint i = 0; i < n; i++)
		g_free(anys[i].type_url);
	return packed;
}

GError *rpc_status_unpack(const uint8_t *bytes, size_t n)
{
	GError *error = NULL;
	Google__Status *status = guard_unpack(&google__status__descriptor, bytes, n, &error);
	if (!status)
		return error;
	if (status->code != 0)
		error_set(&error, (enum error_code)status->code, "%s", status->message);
	for (size_t i = 0; error && i < status->n_details; i++) {
		const ProtobufCBinaryData *value = &status->details[i]->value;
		if (value->len && !g_utf8_validate_len((const char *)value->data, value->len, NULL))
			continue;
		g_autofree char *type = type_of_url(status->details[i]->type_url);
		g_autofree char *json = g_strndup((const char *)value->data, value->len);
		error_add_detail(error, type, json);
	}
	guard_free(status);
	return error;
}
