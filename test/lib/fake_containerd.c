/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/fake_containerd.h"

static ProtobufCMessage *empty_reply(void)
{
	Google__Empty *reply = g_new0(Google__Empty, 1);
	google__empty__init(reply);
	return &reply->base;
}

static GHashTable *text_set(void)
{
	return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
}

static ProtobufCMessage *lease_create(rpc_call *call, const ProtobufCMessage *m, void *data, GError **error)
{
	const CtdLeases__CreateRequest *request = (const void *)m;
	struct fake *f = data;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&f->mu);
	if (g_hash_table_contains(f->leases, request->id)) {
		error_set(error, ERROR_ALREADY_EXISTS, "lease %s exists", request->id);
		return NULL;
	}
	g_hash_table_insert(f->leases, g_strdup(request->id), text_set());
	CtdLeases__CreateResponse *reply = g_new0(CtdLeases__CreateResponse, 1);
	ctd_leases__create_response__init(reply);
	return &reply->base;
}

static ProtobufCMessage *lease_delete(rpc_call *call, const ProtobufCMessage *m, void *data, GError **error)
{
	const CtdLeases__DeleteRequest *request = (const void *)m;
	struct fake *f = data;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&f->mu);
	f->collections += request->sync;
	if (g_hash_table_remove(f->leases, request->id))
		return empty_reply();
	error_set(error, ERROR_NOT_FOUND, "lease %s: not found", request->id);
	return NULL;
}

static ProtobufCMessage *lease_list(rpc_call *call, const ProtobufCMessage *m, void *data, GError **error)
{
	struct fake *f = data;
	GHashTableIter iter;
	void *id;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&f->mu);
	CtdLeases__ListResponse *reply = g_new0(CtdLeases__ListResponse, 1);
	ctd_leases__list_response__init(reply);
	reply->leases = g_new0(CtdLeases__Lease *, g_hash_table_size(f->leases));
	g_hash_table_iter_init(&iter, f->leases);
	while (g_hash_table_iter_next(&iter, &id, NULL)) {
		CtdLeases__Lease *lease = g_new0(CtdLeases__Lease, 1);
		ctd_leases__lease__init(lease);
		lease->id = g_strdup(id);
		reply->leases[reply->n_leases++] = lease;
	}
	return &reply->base;
}

/* Returns the resources of a lease, or NULL with an error. Call locked. */
static GHashTable *resources_of(struct fake *f, const char *lease, GError **error)
{
	GHashTable *set = g_hash_table_lookup(f->leases, lease);
	if (!set)
		error_set(error, ERROR_NOT_FOUND, "lease %s: not found", lease);
	return set;
}

static ProtobufCMessage *lease_add(rpc_call *call, const ProtobufCMessage *m, void *data, GError **error)
{
	const CtdLeases__AddResourceRequest *request = (const void *)m;
	struct fake *f = data;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&f->mu);
	GHashTable *set = resources_of(f, request->id, error);
	if (!set)
		return NULL;
	g_hash_table_add(set, g_strdup_printf("%s %s", request->resource->type, request->resource->id));
	return empty_reply();
}

static ProtobufCMessage *lease_drop(rpc_call *call, const ProtobufCMessage *m, void *data, GError **error)
{
	const CtdLeases__DeleteResourceRequest *request = (const void *)m;
	struct fake *f = data;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&f->mu);
	GHashTable *set = resources_of(f, request->id, error);
	g_autofree char *key = g_strdup_printf("%s %s", request->resource->type, request->resource->id);
	if (!set)
		return NULL;
	g_hash_table_remove(set, key);
	return empty_reply();
}

static ProtobufCMessage *lease_resources(rpc_call *call, const ProtobufCMessage *m, void *data, GError **error)
{
	const CtdLeases__ListResourcesRequest *request = (const void *)m;
	struct fake *f = data;
	GHashTableIter iter;
	void *key;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&f->mu);
	GHashTable *set = resources_of(f, request->id, error);
	if (!set)
		return NULL;
	CtdLeases__ListResourcesResponse *reply = g_new0(CtdLeases__ListResourcesResponse, 1);
	ctd_leases__list_resources_response__init(reply);
	reply->resources = g_new0(CtdLeases__Resource *, g_hash_table_size(set));
	g_hash_table_iter_init(&iter, set);
	while (g_hash_table_iter_next(&iter, &key, NULL)) {
		g_auto(GStrv) parts = g_strsplit(key, " ", 2);
		CtdLeases__Resource *resource = g_new0(CtdLeases__Resource, 1);
		ctd_leases__resource__init(resource);
		resource->type = g_strdup(parts[0]);
		resource->id = g_strdup(parts[1]);
		reply->resources[reply->n_resources++] = resource;
	}
	return &reply->base;
}

static ProtobufCMessage *content_info(rpc_call *call, const ProtobufCMessage *m, void *data, GError **error)
{
	const Content__InfoRequest *request = (const void *)m;
	struct fake *f = data;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&f->mu);
	GBytes *bytes = g_hash_table_lookup(f->content, request->digest);
	if (!bytes) {
		error_set(error, ERROR_NOT_FOUND, "content %s: not found", request->digest);
		return NULL;
	}
	Content__InfoResponse *reply = g_new0(Content__InfoResponse, 1);
	content__info_response__init(reply);
	reply->info = g_new0(Content__Info, 1);
	content__info__init(reply->info);
	reply->info->digest = g_strdup(request->digest);
	reply->info->size = (int64_t)g_bytes_get_size(bytes);
	return &reply->base;
}

static ProtobufCMessage *content_delete(rpc_call *call, const ProtobufCMessage *m, void *data, GError **error)
{
	const Content__DeleteContentRequest *request = (const void *)m;
	struct fake *f = data;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&f->mu);
	if (g_hash_table_remove(f->content, request->digest))
		return empty_reply();
	error_set(error, ERROR_NOT_FOUND, "content %s: not found", request->digest);
	return NULL;
}

static ProtobufCMessage *content_abort(rpc_call *call, const ProtobufCMessage *m, void *data, GError **error)
{
	const Content__AbortRequest *request = (const void *)m;
	struct fake *f = data;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&f->mu);
	if (g_hash_table_remove(f->ingests, request->ref))
		return empty_reply();
	error_set(error, ERROR_NOT_FOUND, "ingest %s: not found", request->ref);
	return NULL;
}

/* One byte per message, so that the reader must join them. */
static bool content_read(rpc_call *call, void *data, GError **error)
{
	struct fake *f = data;
	Content__ReadContentRequest *request =
		rpc_call_recv_message(call, &content__read_content_request__descriptor, error);
	if (!request)
		return false;
	g_mutex_lock(&f->mu);
	GBytes *bytes = g_hash_table_lookup(f->content, request->digest);
	g_autoptr(GBytes) held = bytes ? g_bytes_ref(bytes) : NULL;
	g_mutex_unlock(&f->mu);
	bool ok = held || error_set(error, ERROR_NOT_FOUND, "content %s: not found", request->digest);
	guard_free(request);
	gsize n = 0;
	const uint8_t *at = held ? g_bytes_get_data(held, &n) : NULL;
	for (gsize i = 0; ok && i < n; i++) {
		Content__ReadContentResponse part = CONTENT__READ_CONTENT_RESPONSE__INIT;
		part.offset = (int64_t)i;
		part.data.data = (uint8_t *)(uintptr_t)at + i;
		part.data.len = 1;
		ok = rpc_call_send_message(call, &part, error);
	}
	return ok;
}

static bool write_step(struct fake *f, const char *lease, const Content__WriteContentRequest *m, GError **error)
{
	g_autofree char *ingest = g_strconcat("ingests ", m->ref, NULL);
	GByteArray *bytes = g_hash_table_lookup(f->ingests, m->ref);
	GHashTable *held = resources_of(f, lease, error);
	if (!held)
		return false;
	if (!bytes) {
		bytes = g_byte_array_new();
		g_hash_table_insert(f->ingests, g_strdup(m->ref), bytes);
		g_hash_table_add(held, g_strdup(ingest));
	}
	if (m->action == CONTENT__WRITE_ACTION__WRITE && m->offset != bytes->len)
		return error_set(error, ERROR_INVALID_ARGUMENT, "offset %d of %u", (int)m->offset, bytes->len);
	if (m->action == CONTENT__WRITE_ACTION__WRITE)
		g_byte_array_append(bytes, m->data.data, (guint)m->data.len);
	if (m->action != CONTENT__WRITE_ACTION__COMMIT)
		return true;
	struct digest digest;
	digest_of(bytes->data, bytes->len, &digest);
	if (strcmp(digest.text, m->expected) != 0 || m->total != bytes->len)
		return error_set(error, ERROR_FAILED_PRECONDITION, "unexpected commit");
	bool exists = g_hash_table_contains(f->content, digest.text);
	g_hash_table_replace(f->content, g_strdup(digest.text), g_bytes_new(bytes->data, bytes->len));
	g_hash_table_add(held, g_strconcat("content ", digest.text, NULL));
	g_hash_table_remove(held, ingest);
	g_hash_table_remove(f->ingests, m->ref);
	return !exists || error_set(error, ERROR_ALREADY_EXISTS, "content %s: already exists", digest.text);
}

static bool content_write(rpc_call *call, void *data, GError **error)
{
	struct fake *f = data;
	const char *lease = rpc_metadata_get(rpc_call_metadata(call), "containerd-lease");
	for (;;) {
		GError *failure = NULL;
		Content__WriteContentRequest *m =
			rpc_call_recv_message(call, &content__write_content_request__descriptor, &failure);
		if (!m) {
			g_clear_error(&failure); /* the writer has finished or disconnected */
			return true;
		}
		g_mutex_lock(&f->mu);
		bool ok = f->refuse_writes ? error_set(error, ERROR_RESOURCE_EXHAUSTED, "no space left on device")
					   : write_step(f, lease ? lease : "", m, error);
		g_mutex_unlock(&f->mu);
		guard_free(m);
		Content__WriteContentResponse reply = CONTENT__WRITE_CONTENT_RESPONSE__INIT;
		if (!ok || !rpc_call_send_message(call, &reply, error))
			return false;
	}
}

#define LEASES "/containerd.services.leases.v1.Leases/"
#define CONTENT "/containerd.services.content.v1.Content/"

static const struct rpc_method fake_methods[] = {
	{LEASES "Create", &ctd_leases__create_request__descriptor, lease_create, NULL},
	{LEASES "Delete", &ctd_leases__delete_request__descriptor, lease_delete, NULL},
	{LEASES "List", &ctd_leases__list_request__descriptor, lease_list, NULL},
	{LEASES "AddResource", &ctd_leases__add_resource_request__descriptor, lease_add, NULL},
	{LEASES "DeleteResource", &ctd_leases__delete_resource_request__descriptor, lease_drop, NULL},
	{LEASES "ListResources", &ctd_leases__list_resources_request__descriptor, lease_resources, NULL},
	{CONTENT "Info", &content__info_request__descriptor, content_info, NULL},
	{CONTENT "Delete", &content__delete_content_request__descriptor, content_delete, NULL},
	{CONTENT "Abort", &content__abort_request__descriptor, content_abort, NULL},
	{CONTENT "Read", NULL, NULL, content_read},
	{CONTENT "Write", NULL, NULL, content_write},
};

void fake_start(struct fake *f)
{
	g_autoptr(GError) error = NULL;
	f->server = rpc_server_new(f->loop);
	rpc_server_add(f->server, fake_methods, G_N_ELEMENTS(fake_methods), f);
	rpc_server_listen(f->server, f->address, &(struct rpc_listen_options){0}, &error);
	g_assert_no_error(error);
}

void fake_stop(struct fake *f)
{
	rpc_server_stop(f->server, 0);
	rpc_server_free(f->server);
	f->server = NULL;
}

void fake_init(struct fake *f)
{
	f->loop = rpc_loop_new(NULL);
	f->dir = g_dir_make_tmp("ctd-test-XXXXXX", NULL);
	f->address = g_strdup_printf("unix://%s/sock", f->dir);
	g_mutex_init(&f->mu);
	f->leases = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_hash_table_unref);
	f->content = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_bytes_unref);
	f->ingests = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_byte_array_unref);
	fake_start(f);
}

void fake_done(struct fake *f)
{
	if (f->server)
		fake_stop(f);
	rpc_loop_free(f->loop);
	g_hash_table_unref(f->leases);
	g_hash_table_unref(f->content);
	g_hash_table_unref(f->ingests);
	g_mutex_clear(&f->mu);
	g_free(f->address);
	g_free(f->dir);
}
