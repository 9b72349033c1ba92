/* SPDX-License-Identifier: Apache-2.0 */
/* Listing calls of the content service: blobs of the default worker, followed by those that only the history has. */
#include "control/control.h"
#include "api/message.h"
#include "content.pb-c.h"
#include "format/filter.h"
#include <string.h>

#define LIST_BLOCK 100 /* blobs per message; same as containerd */

struct entry {
	struct digest digest;
	int64_t size, created_ns;
};

/*
 * Collects the blobs first and sends them afterwards, so that a slow client blocks neither the store nor the database.
 */
struct listing {
	blob_store *blobs;
	GArray *entries;  /* element type: struct entry */
	GHashTable *seen; /* set of digest texts (owned) */
};

static void note(struct listing *l, const struct digest *digest, int64_t size, int64_t created_ns)
{
	struct entry e = {.digest = *digest, .size = size, .created_ns = created_ns};
	if (size >= 0 && g_hash_table_add(l->seen, g_strdup(digest->text)))
		g_array_append_val(l->entries, e);
}

static void note_stored(const struct digest *digest, void *data)
{
	struct listing *l = data;
	note(l, digest, blob_store_size(l->blobs, digest), blob_store_created_ns(l->blobs, digest));
}

static void note_recorded(const struct history_blob_info *info, void *data)
{
	struct digest digest;
	if (digest_parse(info->digest, &digest, NULL))
		note(data, &digest, info->size, info->created_ns);
}

/* Blobs have no labels here, and containerd has no filter for sizes. */
static const char *entry_field(const void *row, const char *const *path, size_t n_path)
{
	const struct entry *e = row;
	return n_path == 1 && strcmp(path[0], "digest") == 0 ? e->digest.text : NULL;
}

static bool send_block(rpc_call *call, GPtrArray *block, GError **error)
{
	Content__ListContentResponse reply = CONTENT__LIST_CONTENT_RESPONSE__INIT;
	reply.info = (Content__Info **)block->pdata;
	reply.n_info = block->len;
	bool ok = block->len == 0 || rpc_call_send_message(call, &reply, error);
	g_ptr_array_set_size(block, 0);
	return ok;
}

static bool send_entries(rpc_call *call, const GArray *entries, const filter *f, GError **error)
{
	g_autoptr(GPtrArray) block = g_ptr_array_new_with_free_func(guard_free);
	for (guint i = 0; i < entries->len; i++) {
		const struct entry *e = &g_array_index(entries, struct entry, i);
		if (filter_match(f, entry_field, e)) {
			Content__Info *info = message_new(Content__Info, content__info);
			info->digest = g_strdup(e->digest.text);
			info->size = e->size;
			info->created_at = message_time_new(e->created_ns);
			info->updated_at = message_time_new(e->created_ns);
			g_ptr_array_add(block, info);
		}
		if (block->len == LIST_BLOCK && !send_block(call, block, error))
			return false;
	}
	return send_block(call, block, error);
}

bool control_content_list(rpc_call *call, void *data, GError **error)
{
	struct control *control = data;
	Content__ListContentRequest *m = rpc_call_recv_message(call, &content__list_content_request__descriptor, error);
	if (!m)
		return false;
	g_autofree const char **filters = message_texts(m->filters, m->n_filters);
	g_autoptr(filter) f = filter_new(filters, error);
	guard_free(m);
	if (!f)
		return false;
	g_autoptr(GArray) entries = g_array_new(FALSE, FALSE, sizeof(struct entry));
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	struct listing l = {.blobs = builder_worker(control->builder)->blobs, .entries = entries, .seen = seen};
	blob_store_each(l.blobs, note_stored, &l);
	return history_each_blob(builder_history(control->builder), note_recorded, &l, error) &&
	       send_entries(call, entries, f, error);
}

/* Clients cannot write here, so there are no active writes. */
ProtobufCMessage *control_content_status(rpc_call *call, const ProtobufCMessage *request, void *data, GError **error)
{
	const Content__StatusRequest *m = (const void *)request;
	return error_null(error, ERROR_NOT_FOUND, "could not get status for ref \"%s\": not found", m->ref);
}

ProtobufCMessage *control_content_statuses(rpc_call *call, const ProtobufCMessage *request, void *data, GError **error)
{
	return &message_new(Content__ListStatusesResponse, content__list_statuses_response)->base;
}
