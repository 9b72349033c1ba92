/* SPDX-License-Identifier: Apache-2.0 */
#include "content/blob_memory.h"
#include "base/limits.h"

#define KEPT_US (5 * 60 * G_USEC_PER_SEC)

struct kept {
	struct digest digest;
	GBytes *bytes; /* ref */
	gint64 until_us;
};
struct blob_memory {
	GMutex mu;
	GQueue order;      /* of struct kept *, owned, oldest first */
	GHashTable *links; /* digest text (borrowed) to GList * of order */
	size_t n_bytes;
};

blob_memory *blob_memory_new(void)
{
	blob_memory *m = g_new0(blob_memory, 1);
	g_mutex_init(&m->mu);
	m->links = g_hash_table_new(g_str_hash, g_str_equal);
	return m;
}

static void drop_locked(blob_memory *m, GList *link)
{
	struct kept *k = link->data;
	g_hash_table_remove(m->links, k->digest.text);
	g_queue_delete_link(&m->order, link);
	m->n_bytes -= g_bytes_get_size(k->bytes);
	g_bytes_unref(k->bytes);
	g_free(k);
}

void blob_memory_free(blob_memory *m)
{
	while (m->order.head)
		drop_locked(m, m->order.head);
	g_hash_table_unref(m->links);
	g_mutex_clear(&m->mu);
	g_free(m);
}

static void expire_locked(blob_memory *m)
{
	gint64 now = g_get_monotonic_time();
	while (m->order.head &&
	       (((const struct kept *)m->order.head->data)->until_us <= now || m->n_bytes > LIMIT_MEMORY_BLOBS_BYTES))
		drop_locked(m, m->order.head);
}

void blob_memory_expire(blob_memory *m)
{
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&m->mu);
	expire_locked(m);
}

void blob_memory_put(blob_memory *m, const struct digest *digest, GBytes *bytes)
{
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&m->mu);
	GList *old = g_hash_table_lookup(m->links, digest->text);
	if (old)
		drop_locked(m, old);
	struct kept *k = g_new(struct kept, 1);
	*k = (struct kept){*digest, g_bytes_ref(bytes), g_get_monotonic_time() + KEPT_US};
	g_queue_push_tail(&m->order, k);
	g_hash_table_insert(m->links, k->digest.text, m->order.tail);
	m->n_bytes += g_bytes_get_size(bytes);
	expire_locked(m);
}

GBytes *blob_memory_get(blob_memory *m, const struct digest *digest)
{
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&m->mu);
	expire_locked(m);
	const GList *link = g_hash_table_lookup(m->links, digest->text);
	return link ? g_bytes_ref(((const struct kept *)link->data)->bytes) : NULL;
}
