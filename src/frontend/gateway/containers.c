/* SPDX-License-Identifier: Apache-2.0 */
/* The unary verbs of LLBBridge for containers. ExecProcess is in exec.c. */
#include "frontend/gateway/gateway_internal.h"
#include "api/message.h"
#include "base/limits.h"
#include "frontend/gateway/wire.h"

container *gateway_find_container(gateway *g, const char *id)
{
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&g->mu);
	container *c = g_hash_table_lookup(g->containers, id);
	return c ? container_ref(c) : NULL;
}

void gateway_abort_streams_locked(gateway *g)
{
	for (guint i = 0; i < g->streams->len; i++)
		rpc_call_abort(g_ptr_array_index(g->streams, i));
}

/* ---- NewContainer */

/* Reserves the id, so that a container counts while it is created. */
static bool reserve(gateway *g, const char *id, GError **error)
{
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&g->mu);
	if (g_hash_table_contains(g->containers, id))
		return error_set(error, ERROR_ALREADY_EXISTS, "Container %s already exists", id);
	if (g_hash_table_size(g->containers) >= LIMIT_CONTAINERS)
		return error_set(error, ERROR_RESOURCE_EXHAUSTED, "a build has at most %lld containers",
				 LIMIT_CONTAINERS);
	g_hash_table_insert(g->containers, g_strdup(id), NULL);
	return true;
}

/* results: counted. */
static bool find_refs(gateway *g, const Gateway__NewContainerRequest *m, bridge_ref **refs, cache_ref **results,
		      GError **error)
{
	for (size_t i = 0; i < m->n_mounts; i++) {
		const Pb__Mount *mount = m->mounts[i];
		g_autoptr(GError) why = NULL;
		results[i] = gateway_find_failed(g, mount->resultid);
		if (!results[i] && !gateway_find_ref(g, mount->resultid, &refs[i], &why))
			return error_set(error, ERROR_UNKNOWN,
					 "failed to find ref %s for \"%s\" mount: return reference %s not found",
					 mount->resultid, mount->dest, mount->resultid);
	}
	return true;
}

static container *create(struct gateway_call *v, const Gateway__NewContainerRequest *m, GError **error)
{
	g_autofree bridge_ref **refs = g_new0(bridge_ref *, m->n_mounts + 1);
	g_autofree cache_ref **results = g_new0(cache_ref *, m->n_mounts + 1);
	container *c = NULL;
	const struct bridge_container_request request = {
		.id = m->containerid,
		.mounts = m->mounts,
		.refs = refs,
		.results = results,
		.n_mounts = m->n_mounts,
		.network = (int)m->network,
		.hostname = m->hostname,
		.hosts = m->extrahosts,
		.n_hosts = m->n_extrahosts,
		.platform = m->platform,
	};
	if (find_refs(v->g, m, refs, results, error))
		c = v->g->bridge->class->new_container(v->g->bridge, &request, &v->work, error);
	for (size_t i = 0; i < m->n_mounts; i++)
		cache_ref_unref(results[i]);
	return c;
}

ProtobufCMessage *gateway_new_container(rpc_call *call, const ProtobufCMessage *request, void *data, GError **error)
{
	const Gateway__NewContainerRequest *m = (const void *)request;
	scoped_call v = {0};
	if (strlen(m->containerid) > LIMIT_EXEC_ID_BYTES)
		return error_null(error, ERROR_INVALID_ARGUMENT,
				  "the id of a container has %zu bytes, at most %lld are allowed",
				  strlen(m->containerid), LIMIT_EXEC_ID_BYTES);
	if (!gateway_call_begin(&v, call, data, error) || !reserve(v.g, m->containerid, error))
		return NULL;
	container *c = create(&v, m, error);
	g_mutex_lock(&v.g->mu);
	if (c)
		g_hash_table_replace(v.g->containers, g_strdup(m->containerid), c);
	else
		g_hash_table_remove(v.g->containers, m->containerid);
	g_mutex_unlock(&v.g->mu);
	if (!c) {
		gateway_keep_failure(v.g, error ? *error : NULL);
		error_hide_code(error);
		return NULL;
	}
	return &message_new(Gateway__NewContainerResponse, gateway__new_container_response)->base;
}

/* ---- ReleaseContainer */

ProtobufCMessage *gateway_release_container(rpc_call *call, const ProtobufCMessage *request, void *data, GError **error)
{
	const Gateway__ReleaseContainerRequest *m = (const void *)request;
	scoped_call v = {0};
	if (!gateway_call_begin(&v, call, data, error))
		return NULL;
	g_autofree char *key = NULL;
	g_mutex_lock(&v.g->mu);
	container *c = g_hash_table_lookup(v.g->containers, m->containerid);
	if (c)
		g_hash_table_steal_extended(v.g->containers, m->containerid, (gpointer *)&key, NULL);
	g_mutex_unlock(&v.g->mu);
	if (!c)
		return error_null(error, ERROR_UNKNOWN, "container details for %s not found", m->containerid);
	bool ok = container_release(c, error);
	container_unref(c);
	if (!ok) {
		error_hide_code(error);
		return NULL;
	}
	return &message_new(Gateway__ReleaseContainerResponse, gateway__release_container_response)->base;
}

/* ---- files */

static container *find_for_files(struct gateway_call *v, const char *id, int mount, GError **error)
{
	container *c = gateway_find_container(v->g, id);
	if (!c)
		error_set(error, ERROR_UNKNOWN, "container details for %s@%d not found", id, mount);
	return c;
}

ProtobufCMessage *gateway_read_file_container(rpc_call *call, const ProtobufCMessage *request, void *data,
					      GError **error)
{
	const Gateway__ReadFileRequest *m = (const void *)request;
	scoped_call v = {0};
	if (!gateway_call_begin(&v, call, data, error))
		return NULL;
	g_autoptr(container) c = find_for_files(&v, m->ref, m->mountindex, error);
	int64_t offset = m->range ? m->range->offset : 0, length = m->range ? m->range->length : 0;
	g_autoptr(GBytes) bytes = c ? container_read_file(c, m->mountindex, m->filepath, offset, length, error) : NULL;
	if (!bytes)
		return NULL;
	Gateway__ReadFileResponse *reply = message_new(Gateway__ReadFileResponse, gateway__read_file_response);
	reply->data = message_bytes(bytes);
	return &reply->base;
}

ProtobufCMessage *gateway_read_dir_container(rpc_call *call, const ProtobufCMessage *request, void *data,
					     GError **error)
{
	const Gateway__ReadDirRequest *m = (const void *)request;
	scoped_call v = {0};
	if (!gateway_call_begin(&v, call, data, error))
		return NULL;
	g_autoptr(container) c = find_for_files(&v, m->ref, m->mountindex, error);
	g_autoptr(GPtrArray) entries =
		c ? container_read_dir(c, m->mountindex, m->dirpath, m->includepattern, error) : NULL;
	if (!entries)
		return NULL;
	Gateway__ReadDirResponse *reply = message_new(Gateway__ReadDirResponse, gateway__read_dir_response);
	for (guint i = 0; i < entries->len; i++)
		message_append(reply, entries, gateway_stat_new(entries->pdata[i]));
	return &reply->base;
}

ProtobufCMessage *gateway_stat_file_container(rpc_call *call, const ProtobufCMessage *request, void *data,
					      GError **error)
{
	const Gateway__StatFileRequest *m = (const void *)request;
	scoped_call v = {0};
	if (!gateway_call_begin(&v, call, data, error))
		return NULL;
	g_autoptr(container) c = find_for_files(&v, m->ref, m->mountindex, error);
	struct fssync_stat stat;
	if (!c || !container_stat_file(c, m->mountindex, m->path, &stat, error))
		return NULL;
	Gateway__StatFileResponse *reply = message_new(Gateway__StatFileResponse, gateway__stat_file_response);
	reply->stat = gateway_stat_new(&stat);
	fssync_stat_clear(&stat);
	return &reply->base;
}
