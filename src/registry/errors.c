/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/errors.h"
#include "base/limits.h"
#include "format/http_url.h"
#include "format/json_writer.h"

#define BODY_TEXT_MAX 256
#define BODY_JSON_MAX KIB(64)
#define WORDS_MAX 20

static const struct registry_code {
	const char *code, *message;
} registry_codes[] = {
	{"UNKNOWN", "unknown error"},
	{"UNSUPPORTED", "The operation is unsupported."},
	{"UNAUTHORIZED", "authentication required"},
	{"DENIED", "requested access to the resource is denied"},
	{"UNAVAILABLE", "service unavailable"},
	{"TOOMANYREQUESTS", "too many requests"},
};

/* Formats one entry of "errors" as containerd does: "denied: text", or "denied" for the default text. */
static char *entry_text(const json_t *entry, bool with_detail)
{
	const char *code = json_string_value(json_object_get(entry, "code"));
	const char *message = json_string_value(json_object_get(entry, "message"));
	const json_t *detail = json_object_get(entry, "detail");
	const struct registry_code *row = &registry_codes[0];
	for (size_t i = 0; code && i < G_N_ELEMENTS(registry_codes); i++)
		if (g_str_equal(code, registry_codes[i].code))
			row = &registry_codes[i];
	g_autofree char *name = g_ascii_strdown(row->code, -1);
	bool has_detail = detail && !json_is_null(detail);
	if (!has_detail && (!message || !*message || g_str_equal(message, row->message)))
		return g_steal_pointer(&name);
	const char *more = with_detail ? json_string_value(detail) : NULL;
	return g_strconcat(name, ": ", message ? message : "", more && *more ? " - " : "", more ? more : "", NULL);
}

static json_t *body_json(const struct transport_reply *reply)
{
	if (!reply->body || reply->body->len == 0)
		return NULL;
	return json_read(reply->body->data, reply->body->len, BODY_JSON_MAX, "error", NULL);
}

static bool is_text_or_none(const json_t *value)
{
	return !value || json_is_null(value) || json_is_string(value);
}

/* One entry of another form invalidates the whole list, as in upstream. */
static bool entries_are_usable(const json_t *list)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *entry = json_array_get(list, i);
		if (!json_is_object(entry) || !is_text_or_none(json_object_get(entry, "code")) ||
		    !is_text_or_none(json_object_get(entry, "message")))
			return false;
	}
	return true;
}

/* Returns NULL if the body has no errors. */
static char *words_text(const json_t *json, bool with_detail)
{
	const json_t *list = json_object_get(json, "errors");
	size_t n = json_array_size(list);
	if (n == 0 || !entries_are_usable(list))
		return NULL;
	if (n == 1)
		return entry_text(json_array_get(list, 0), with_detail);
	GString *text = g_string_new("errors:\n");
	for (size_t i = 0; i < MIN(n, WORDS_MAX); i++) {
		g_autofree char *one = entry_text(json_array_get(list, i), with_detail);
		g_string_append_printf(text, "%s\n", one);
	}
	return g_string_free(text, FALSE);
}

static char *status_text(const char *method, const struct transport_reply *reply)
{
	g_autofree char *url = http_url_show(reply->url);
	return g_strdup_printf("unexpected status from %s request to %s: %d%s%s", method, url, reply->status,
			       *reply->reason ? " " : "", reply->reason);
}

bool errors_bare(const char *method, const struct transport_reply *reply, GError **error)
{
	g_autofree char *text = status_text(method, reply);
	return error_set(error, ERROR_UNKNOWN, "%s", text);
}

bool errors_status(const char *method, const struct transport_reply *reply, GError **error)
{
	g_autofree char *text = status_text(method, reply);
	g_autoptr(json_t) json = body_json(reply);
	g_autofree char *words = words_text(json, false);
	return error_set(error, ERROR_UNKNOWN, "%s%s%s", text, words ? "\n" : "", words ? words : "");
}

bool errors_detailed(const char *method, const struct transport_reply *reply, GError **error)
{
	g_autoptr(json_t) json = body_json(reply);
	g_autofree char *words = words_text(json, true);
	if (words)
		return error_set(error, ERROR_UNKNOWN, "%s", words);
	g_autofree char *text = status_text(method, reply);
	if (!reply->body || reply->body->len == 0)
		return error_set(error, ERROR_UNKNOWN, "%s", text);
	const char *details = json_string_value(json_object_get(json, "details"));
	if (details && *details)
		return error_set(error, ERROR_UNKNOWN, "%s: %s", text, details);
	g_autofree char *raw = g_strndup((const char *)reply->body->data, MIN(reply->body->len, BODY_TEXT_MAX));
	g_autofree char *body = g_utf8_make_valid(raw, -1);
	if (reply->body->len <= BODY_TEXT_MAX)
		return error_set(error, ERROR_UNKNOWN, "%s: %s", text, body);
	return error_set(error, ERROR_UNKNOWN, "%s: %s... (%u bytes truncated)", text, body,
			 reply->body->len - BODY_TEXT_MAX);
}
