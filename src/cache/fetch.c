/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/record.h"
#include "base/pool.h"
#include "progress/progress.h"

#define FETCH_THREADS 4

struct item {
	blob_provider *provider; /* ref; NULL: the blob must be local */
	progress_sink *progress; /* ref; NULL: use the progress of the group's work */
	struct digest digest;
	int64_t size;
	bool done;
	GError *error; /* owned */
};

struct fetch_group {
	cache *cache;
	struct work *work;
	pool *pool; /* NULL: all blobs were local */
	GMutex mu;  /* guards done and error of items */
	GCond done;
	struct item *items;
	guint n;
};

static bool fetch(fetch_group *g, const struct item *item, GError **error)
{
	if (blob_store_has(g->cache->blobs, &item->digest))
		return true;
	if (!item->provider)
		return error_set(error, ERROR_NOT_FOUND, "blob %s is not in the store and has no provider",
				 item->digest.text);
	struct work work = *g->work;
	if (item->progress)
		work.progress = item->progress;
	return cancel_check(work.cancel, error) &&
	       blob_provider_fetch(item->provider, g->cache->blobs, &item->digest, item->size, &work, error);
}

static void run(void *data, void *group)
{
	fetch_group *g = group;
	struct item *item = data;
	GError *error = NULL;
	if (!fetch(g, item, &error) && !error)
		error_set(&error, ERROR_INTERNAL, "internal error: fetch of %s failed without setting an error",
			  item->digest.text);
	g_mutex_lock(&g->mu);
	item->done = true;
	item->error = error;
	g_cond_broadcast(&g->done);
	g_mutex_unlock(&g->mu);
}

static void item_init(cache *c, struct item *item, const cache_ref *r)
{
	item->done = !r->blob;
	if (!r->blob)
		return;
	item->digest = r->blob->digest;
	item->size = r->blob->size;
	item->provider = r->provider ? blob_provider_ref(r->provider) : NULL;
	item->progress = r->progress ? progress_sink_ref(r->progress) : NULL;
	/* Hold the blob, so that a sweep does not remove it before its use. Released in fetch_group_end. */
	blob_store_hold(c->blobs, &item->digest);
}

fetch_group *fetch_group_start(cache *c, GPtrArray *records, struct work *work)
{
	fetch_group *g = g_new0(fetch_group, 1);
	static struct work no_work;
	g->cache = c;
	g->work = work ? work : &no_work;
	g->n = records->len;
	g->items = g_new0(struct item, g->n);
	g_mutex_init(&g->mu);
	g_cond_init(&g->done);
	g_mutex_lock(&c->mu);
	for (guint i = 0; i < g->n; i++)
		item_init(c, &g->items[i], records->pdata[i]);
	g_mutex_unlock(&c->mu);
	for (guint i = 0; i < g->n; i++) {
		struct item *item = &g->items[i];
		item->done = item->done || blob_store_has(c->blobs, &item->digest);
		if (!item->done && !g->pool)
			g->pool = pool_new("fetch", FETCH_THREADS, run, g);
	}
	for (guint i = 0; g->pool && i < g->n; i++)
		if (!g->items[i].done && !pool_push(g->pool, &g->items[i], NULL))
			run(&g->items[i], g); /* no thread: run it synchronously */
	return g;
}

bool fetch_group_wait(fetch_group *g, guint i, GError **error)
{
	struct item *item = &g->items[i];
	g_mutex_lock(&g->mu);
	while (!item->done)
		g_cond_wait(&g->done, &g->mu);
	GError *failure = item->error ? g_error_copy(item->error) : NULL;
	g_mutex_unlock(&g->mu);
	return !failure || error_propagate(error, failure);
}

void fetch_group_end(fetch_group *g)
{
	if (!g)
		return;
	pool_free(g->pool);
	for (guint i = 0; i < g->n; i++) {
		if (digest_is_set(&g->items[i].digest))
			blob_store_release(g->cache->blobs, &g->items[i].digest);
		g_clear_pointer(&g->items[i].provider, blob_provider_unref);
		g_clear_pointer(&g->items[i].progress, progress_sink_unref);
		g_clear_error(&g->items[i].error);
	}
	g_mutex_clear(&g->mu);
	g_cond_clear(&g->done);
	g_free(g->items);
	g_free(g);
}

/* ---- progress of the vertices that provide the layers */
static void sink_unref(gpointer sink)
{
	progress_sink_unref(sink);
}

GPtrArray *record_sinks_start(cache *c, GPtrArray *records)
{
	GPtrArray *sinks = g_ptr_array_new_with_free_func(sink_unref);
	g_mutex_lock(&c->mu);
	for (guint i = 0; i < records->len; i++) {
		progress_sink *sink = ((cache_ref *)records->pdata[i])->progress;
		if (sink && !g_ptr_array_find(sinks, sink, NULL) && !progress_sink_is_open(sink))
			g_ptr_array_add(sinks, progress_sink_ref(sink));
	}
	g_mutex_unlock(&c->mu);
	/* A cached result stays marked as cached while its layers are fetched. */
	for (guint i = 0; i < sinks->len; i++)
		(progress_sink_is_cached(sinks->pdata[i]) ? progress_sink_start_cached
							  : progress_sink_start)(sinks->pdata[i]);
	return sinks;
}

void record_sinks_end(GPtrArray *sinks, const GError *error)
{
	for (guint i = 0; i < sinks->len; i++)
		progress_sink_complete(sinks->pdata[i], error ? error->message : NULL,
				       progress_sink_is_cached(sinks->pdata[i]));
	g_ptr_array_unref(sinks);
}

/* Lists the records whose blobs are not local yet. */
static GPtrArray *absent(cache *c, GPtrArray *records)
{
	GPtrArray *ret = g_ptr_array_new();
	g_autoptr(GArray) digests = g_array_new(FALSE, FALSE, sizeof(struct digest));
	g_mutex_lock(&c->mu);
	for (guint i = 0; i < records->len; i++) {
		cache_ref *r = records->pdata[i];
		if (r->blob && !blob_store_has(c->blobs, &r->blob->digest)) {
			g_ptr_array_add(ret, r);
			g_array_append_val(digests, r->blob->digest);
		}
	}
	g_mutex_unlock(&c->mu);
	/* Blobs that the store only has to adopt are not fetched, and their vertices are not reported again. */
	for (guint i = ret->len; i > 0; i--)
		if (blob_store_adopt(c->blobs, &g_array_index(digests, struct digest, i - 1)))
			g_ptr_array_remove_index(ret, i - 1);
	return ret;
}

bool record_fetch_all(cache *c, GPtrArray *records, struct work *work, GError **error)
{
	g_autoptr(GPtrArray) todo = absent(c, records);
	GPtrArray *sinks = record_sinks_start(c, todo);
	g_autoptr(fetch_group) g = fetch_group_start(c, todo, work);
	GError *failure = NULL;
	for (guint i = 0; i < todo->len && !failure; i++)
		fetch_group_wait(g, i, &failure);
	record_sinks_end(sinks, failure);
	return !failure || error_propagate(error, failure);
}
