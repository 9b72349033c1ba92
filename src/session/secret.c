/* SPDX-License-Identifier: Apache-2.0 */
#include "session/live.h"
#include "api/guard.h"
#include "base/limits.h"
#include "secrets.pb-c.h"

#define METHOD "/moby.buildkit.secrets.v1.Secrets/GetSecret"

struct wiped {
	void *bytes;
	size_t n;
};

static void wiped_free(void *data)
{
	struct wiped *w = data;
	if (w->n > 0) /* an empty secret has no memory */
		explicit_bzero(w->bytes, w->n);
	free(w->bytes);
	g_free(w);
}

struct question {
	const char *id;
	GBytes *value;
};

static bool ask(session *s, cancel *c, void *data, GError **error)
{
	struct question *q = data;
	Secrets__GetSecretRequest request = SECRETS__GET_SECRET_REQUEST__INIT;
	request.id = (char *)q->id;
	Secrets__GetSecretResponse *reply = rpc_unary(session_conn(s), METHOD, NULL, &request,
						      &secrets__get_secret_response__descriptor, c, 0, error);
	if (!reply)
		return false;
	bool ok = reply->data.len <= (size_t)LIMIT_SECRET_BYTES ||
		  error_set(error, ERROR_RESOURCE_EXHAUSTED, "secret %s: invalid size %zu", q->id, reply->data.len);
	struct wiped *w = g_new(struct wiped, 1);
	*w = (struct wiped){reply->data.data, reply->data.len};
	q->value = g_bytes_new_with_free_func(w->bytes, w->n, wiped_free, w);
	reply->data = (ProtobufCBinaryData){0, NULL};
	guard_free(reply);
	if (!ok)
		g_clear_pointer(&q->value, g_bytes_unref);
	return ok;
}

bool session_secret_get(session_group *g, const char *id, cancel *c, GBytes **ret_value, GError **error)
{
	struct question q = {.id = id};
	g_autoptr(GError) local = NULL;
	if (group_each(g, METHOD, SESSION_WAIT_MS, c, ask, &q, &local)) {
		*ret_value = q.value;
		return true;
	}
	if (error_is(local, ERROR_NOT_FOUND) || error_is(local, ERROR_UNIMPLEMENTED))
		return error_set(error, ERROR_NOT_FOUND, "secret %s: not found", id);
	return error_propagate(error, g_steal_pointer(&local));
}
