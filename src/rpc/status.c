/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/conn.h"
#include "api/guard.h"
#include "base/text.h"
#include "status.pb-c.h"

#define TYPE_PREFIX "github.com/moby/buildkit/"
#define TYPE_SUFFIX "+json"

static char *type_of_url(const char *url)
{
	size_t n = strlen(url);
	size_t around = strlen(TYPE_PREFIX) + strlen(TYPE_SUFFIX);
	if (n > around && g_str_has_prefix(url, TYPE_PREFIX) && g_str_has_suffix(url, TYPE_SUFFIX))
		return g_strndup(url + strlen(TYPE_PREFIX), n - around);
	return g_strdup(url);
}

static bool detail_fits(const struct error_detail *detail, size_t *room)
{
	size_t size = strlen(detail->json) + strlen(detail->type) + strlen(TYPE_PREFIX) + strlen(TYPE_SUFFIX) + 32;
	if (size > *room)
		return false;
	*room -= size;
	return true;
}

static char *text_within(const char *text, size_t room)
{
	size_t n = strlen(text), half = status_half(room);
	g_autofree char *cut =
		n > room ? g_strdup_printf("%.*s" STATUS_OMISSION "%s", (int)half, text, text + n - half) : NULL;
	return g_utf8_make_valid(cut ? cut : text, -1);
}

GBytes *status_pack_within(const GError *error, size_t room)
{
	const GPtrArray *details = error ? error_get_details(error) : NULL;
	guint n_details = details ? details->len : 0;
	g_autofree Google__Any *anys = g_new0(Google__Any, n_details);
	g_autofree Google__Any **list = g_new0(Google__Any *, n_details);
	Google__Status status = GOOGLE__STATUS__INIT;
	g_autofree char *message = error ? text_within(error->message, room / 4) : NULL;
	status.code = error ? (int32_t)error_get_code(error) : 0;
	if (message)
		status.message = message;
	room -= message ? MIN(strlen(message) + 32, room) : 0;
	status.details = list;
	for (guint i = 0; i < n_details; i++) {
		const struct error_detail *detail = details->pdata[i];
		if (!detail_fits(detail, &room))
			continue;
		Google__Any *any = &anys[status.n_details];
		google__any__init(any);
		/* A detail of another form keeps its complete type_url as type, and its bytes if they are text. */
		any->type_url = strchr(detail->type, '/') ? g_strdup(detail->type)
							  : g_strconcat(TYPE_PREFIX, detail->type, TYPE_SUFFIX, NULL);
		any->value = (ProtobufCBinaryData){strlen(detail->json), (uint8_t *)detail->json};
		list[status.n_details++] = any;
	}
	GBytes *packed = message_pack(&status);
	for (guint i = 0; i < status.n_details; i++)
		g_free(anys[i].type_url);
	return packed;
}

GBytes *rpc_status_pack(const GError *error)
{
	return status_pack_within(error, SIZE_MAX);
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
		g_autofree char *json = text_from_data(value->data, value->len);
		error_add_detail(error, type, json);
	}
	guard_free(status);
	return error;
}
