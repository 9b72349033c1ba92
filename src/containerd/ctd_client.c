/* SPDX-License-Identifier: Apache-2.0 */
#include "containerd/ctd_internal.h"
#include "api/guard.h"
#include "base/scope.h"
#include "empty.pb-c.h"
#include <string.h>

#define DIAL_MS 10000
#define CALL_MS 60000
#define LONG_CALL_MS 600000

/* ---- connection */
void ctd_name_peer(const ctd_client *c, GError *error)
{
	g_autofree char *prefix = g_strdup_printf("%s at %s: ", c->peer, c->address);
	if (!error_is(error, ERROR_UNAVAILABLE) || g_str_has_prefix(error->message, prefix))
		return;
	char *text = g_strconcat(prefix, error->message, NULL);
	g_free(error->message);
	error->message = text;
}

static rpc_conn *dial(ctd_client *c, GError **error)
{
	struct rpc_dial_options options = {.timeout_ms = DIAL_MS};
	GError *failure = NULL;
	rpc_conn *conn = rpc_connect(c->loop, c->address, &options, NULL, &failure);
	if (conn)
		return conn;
	ctd_name_peer(c, failure);
	return error_propagate_null(error, failure);
}

/* The hooks use the new connection before other threads do. */
static void renew_locked(ctd_client *c)
{
	ctd_lease_forget(c);
	g_atomic_pointer_set(&c->renewing, g_thread_self());
	if (c->worker)
		ctd_lease_sweep(c);
	for (guint i = 0; i < c->hooks->len; i++) {
		const struct ctd_hook *hook = &g_array_index(c->hooks, struct ctd_hook, i);
		hook->fn(hook->data);
	}
	g_atomic_pointer_set(&c->renewing, NULL);
}

static rpc_conn *get_conn(ctd_client *c, GError **error)
{
	if (g_atomic_pointer_get(&c->renewing) == g_thread_self())
		return rpc_conn_ref(c->conn);
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&c->mu);
	if (!c->conn || cancel_is_set(rpc_conn_closed(c->conn))) {
		g_clear_pointer(&c->conn, rpc_conn_unref);
		c->conn = dial(c, error);
		if (!c->conn)
			return NULL;
		renew_locked(c);
	}
	return rpc_conn_ref(c->conn);
}

ctd_client *ctd_client_new(const struct ctd_client_options *options, GError **error)
{
	ctd_client *c = g_new0(ctd_client, 1);
	c->loop = options->loop;
	bool has_scheme = strstr(options->address, "://") != NULL;
	c->address = g_strconcat(has_scheme ? "" : "unix://", options->address, NULL);
	c->peer = g_strdup(options->peer ? options->peer : "containerd");
	c->namespace = g_strdup(options->namespace);
	c->worker = g_strdup(options->worker_id);
	c->lease = g_strconcat("buildkit-", options->worker_id, NULL);
	c->hooks = g_array_new(FALSE, FALSE, sizeof(struct ctd_hook));
	g_mutex_init(&c->mu);
	g_mutex_init(&c->lease_mu);
	g_mutex_init(&c->others_mu);
	c->others = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(rpc_conn) conn = get_conn(c, error);
	if (conn)
		return c;
	ctd_client_free(c);
	return NULL;
}

void ctd_client_free(ctd_client *c)
{
	if (!c)
		return;
	g_clear_pointer(&c->conn, rpc_conn_unref);
	g_array_unref(c->hooks);
	g_mutex_clear(&c->mu);
	g_mutex_clear(&c->lease_mu);
	g_mutex_clear(&c->others_mu);
	g_hash_table_unref(c->others);
	g_free(c->address);
	g_free(c->peer);
	g_free(c->namespace);
	g_free(c->worker);
	g_free(c->lease);
	g_free(c);
}

const char *ctd_client_worker(const ctd_client *c)
{
	return c->worker;
}

void ctd_client_on_connect(ctd_client *c, void (*fn)(void *data), void *data)
{
	const struct ctd_hook hook = {fn, data};
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&c->mu);
	g_array_append_val(c->hooks, hook);
}

/* ---- calls */

static rpc_metadata *metadata(const ctd_client *c, const char *lease)
{
	rpc_metadata *md = rpc_metadata_new();
	rpc_metadata_add(md, "containerd-namespace", c->namespace);
	if (lease)
		rpc_metadata_add(md, "containerd-lease", lease);
	return md;
}

void *ctd_call_under(ctd_client *c, const char *lease, unsigned flags, const char *path, const void *request,
		     const ProtobufCMessageDescriptor *reply, cancel *stop, GError **error)
{
	g_autoptr(rpc_conn) conn = get_conn(c, error);
	if (!conn)
		return NULL;
	g_autoptr(rpc_metadata) md = metadata(c, lease);
	GError *failure = NULL;
	int timeout_ms = flags & CTD_ENDLESS ? 0 : flags & CTD_LONG ? LONG_CALL_MS : CALL_MS;
	void *message = rpc_unary(conn, path, md, request, reply, stop, timeout_ms, &failure);
	if (message)
		return message;
	ctd_name_peer(c, failure);
	return error_propagate_null(error, failure);
}

void *ctd_call(ctd_client *c, unsigned flags, const char *path, const void *request,
	       const ProtobufCMessageDescriptor *reply, cancel *stop, GError **error)
{
	if (!(flags & CTD_LEASED))
		return ctd_call_under(c, NULL, flags, path, request, reply, stop, error);
	if (!ctd_lease_use(c, error))
		return NULL;
	void *message = ctd_call_under(c, c->lease, flags, path, request, reply, stop, error);
	ctd_lease_leave(c);
	return message;
}

bool ctd_do(ctd_client *c, unsigned flags, const char *path, const void *request, cancel *stop, GError **error)
{
	void *reply = ctd_call(c, flags, path, request, &google__empty__descriptor, stop, error);
	guard_free(reply);
	return reply != NULL;
}

bool ctd_remove(ctd_client *c, unsigned flags, const char *path, const void *request, GError **error)
{
	GError *failure = NULL;
	if (ctd_do(c, flags, path, request, NULL, &failure))
		return true;
	if (error_is(failure, ERROR_NOT_FOUND)) {
		g_clear_error(&failure);
		return true;
	}
	return error_propagate(error, failure);
}

rpc_call *ctd_stream(ctd_client *c, unsigned flags, const char *path, cancel *stop, GError **error)
{
	g_autoptr(rpc_conn) conn = get_conn(c, error);
	if (!conn)
		return NULL;
	g_autoptr(rpc_metadata) md = metadata(c, flags & CTD_LEASED ? c->lease : NULL);
	GError *failure = NULL;
	rpc_call *call = rpc_call_start(conn, path, md, stop, flags & CTD_LONG ? LONG_CALL_MS : 0, &failure);
	if (call)
		return call;
	ctd_name_peer(c, failure);
	return error_propagate_null(error, failure);
}
