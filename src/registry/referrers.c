/* SPDX-License-Identifier: Apache-2.0 */
/* Lists the documents that refer to another one (OCI distribution-spec v1.1, "Listing Referrers"). */
#include "base/limits.h"
#include "registry/call.h"
#include "registry/errors.h"
#include "registry/internal.h"
#include <string.h>

static bool send(struct call *call, const struct endpoint *e, bool is_last, const char *kind, const char *name,
		 const char *query, transport_reply *ret_reply, GError **error)
{
	g_autofree char *plain = call_url(call, e, kind, name);
	g_autofree char *url = *query ? g_strconcat(plain, strchr(plain, '?') ? "&" : "?", query, NULL) : NULL;
	const char *headers[] = {"Accept: " OCI_INDEX ", */*", NULL};
	struct transport_request q = {
		.method = "GET",
		.url = url ? url : plain,
		.headers = headers,
		.body_size = -1,
		.redirects = true,
		.decode = true,
		.body_max = LIMIT_INDEX_BYTES,
	};
	struct call_options o = {.is_last = is_last, .retry_broken = true, .retries = LIMIT_RETRIES};
	if (!call_do(call, e, &q, &o, ret_reply, error))
		return false;
	if (ret_reply->status == 404)
		return error_set(error, ERROR_NOT_FOUND, "content at %s not found: not found", ret_reply->url);
	return ret_reply->status < 300 || errors_status("GET", ret_reply, error);
}

static bool parse(const transport_reply *reply, oci_index **ret, GError **error)
{
	*ret = oci_index_parse(reply->body->data, reply->body->len, OCI_INDEX, error);
	if (!*ret)
		g_prefix_error(error, "failed to decode referrers index: ");
	return *ret != NULL;
}

/*
 * Asks the endpoints of the registry. True ends the search: with *ret (NULL: not found) or with *error set. False: no
 * endpoint answered; *first is the error of the first one, or NULL if all answered "not found".
 */
static bool ask_all(struct call *call, const char *kind, const char *name, const char *query, oci_index **ret,
		    GError **first, GError **error)
{
	for (guint i = 0; i < call->endpoints->len; i++) {
		const struct endpoint *e = g_ptr_array_index(call->endpoints, i);
		g_auto(transport_reply) reply = {0};
		GError *why = NULL;
		if (e->is_mirror) /* mirrors serve images only, as with upstream */
			continue;
		if (send(call, e, i + 1 == call->endpoints->len, kind, name, query, &reply, &why)) {
			parse(&reply, ret, error);
			return true;
		}
		if (error_is(why, ERROR_CANCELED)) {
			g_propagate_error(error, why);
			return true;
		}
		if (*first || error_is(why, ERROR_NOT_FOUND))
			g_error_free(why);
		else
			*first = why;
	}
	return false;
}

static bool list(struct call *call, const struct digest *subject, const char *query, oci_index **ret, GError **error)
{
	g_autoptr(GError) first = NULL, second = NULL;
	GError *why = NULL;
	g_autofree char *tag = g_strdelimit(g_strdup(subject->text), ":", '-');
	/* Registries without the API keep the list in a tag. There, "not found" means that there are no referrers. */
	bool answered = ask_all(call, "referrers", subject->text, query, ret, &first, &why) ||
			ask_all(call, "manifests", tag, "", ret, &second, &why);
	if (!answered && second)
		why = first ? g_steal_pointer(&first) : g_steal_pointer(&second);
	if (why)
		g_propagate_error(error, why);
	return !why;
}

bool registry_referrers(registry *r, const reference *ref, const struct digest *subject, const char *query,
			const struct registry_auth *auth, struct work *work, oci_index **ret, GError **error)
{
	g_auto(registry_call) call = {0};
	if (!http_call_begin(&call, r, ref, auth, false, work, CALL_PULL, error) || !call_slot_take(&call, true, error))
		return false;
	*ret = NULL;
	bool ok = list(&call, subject, query, ret, error);
	call_slot_give(&call);
	if (!ok)
		return false;
	if (!*ret)
		*ret = oci_index_new(OCI_INDEX);
	return true;
}
