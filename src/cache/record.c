/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/record.h"
#include "base/hash_walk.h"
#include "format/url_redact.h"
#include <string.h>
#include "progress/progress.h"

static void variant_free(gpointer data)
{
	struct variant *v = data;
	oci_descriptor_free(v->descriptor);
	g_free(v);
}

cache_ref *record_new(cache *c, const struct cache_record_options *options)
{
	static const struct cache_record_options none;
	const struct cache_record_options *o = options ? options : &none;
	cache_ref *r = g_new0(cache_ref, 1);
	r->cache = c;
	ident_new(r->id);
	r->policy = o->policy;
	r->type = g_strdup(o->record_type ? o->record_type : "regular");
	r->description = url_redact_copy(o->description ? o->description : "");
	r->created_ns = o->created_ns ? o->created_ns : progress_now_ns();
	r->variants = g_ptr_array_new_with_free_func(variant_free);
	r->documents = g_array_new(FALSE, FALSE, sizeof(struct record_document));
	return r;
}

void record_free(cache_ref *r)
{
	g_clear_pointer(&r->inputs, g_ptr_array_unref);
	g_clear_pointer(&r->units, g_ptr_array_unref);
	g_clear_pointer(&r->blob, oci_descriptor_free);
	g_clear_pointer(&r->provider, blob_provider_unref);
	g_free(r->image_reference);
	g_free(r->image_layers);
	g_clear_pointer(&r->progress, progress_sink_unref);
	g_clear_pointer(&r->variants, g_ptr_array_unref);
	g_clear_pointer(&r->documents, g_array_unref);
	g_clear_pointer(&r->names, g_ptr_array_unref);
	g_clear_pointer(&r->values, g_hash_table_unref);
	g_free(r->type);
	g_free(r->description);
	g_free(r);
}

bool record_is_used_locked(const cache_ref *r)
{
	return r->handles > 0 || r->children > 0;
}

/* ---- tables */
static void name_index_locked(cache_ref *r, const char *name)
{
	GPtrArray *list = g_hash_table_lookup(r->cache->by_name, name);
	if (!list) {
		list = g_ptr_array_new();
		g_hash_table_insert(r->cache->by_name, g_strdup(name), list);
	}
	g_ptr_array_add(list, r);
}

static void name_unindex_locked(cache_ref *r, const char *name)
{
	GPtrArray *list = g_hash_table_lookup(r->cache->by_name, name);
	if (list && g_ptr_array_remove(list, r) && list->len == 0)
		g_hash_table_remove(r->cache->by_name, name);
}

static void chain_index_locked(GHashTable *table, const struct digest *id, cache_ref *r)
{
	if (digest_is_set(id) && !g_hash_table_contains(table, id->text))
		g_hash_table_insert(table, g_strdup(id->text), r);
}

static void chain_unindex_locked(GHashTable *table, const struct digest *id, const cache_ref *r)
{
	if (digest_is_set(id) && g_hash_table_lookup(table, id->text) == r)
		g_hash_table_remove(table, id->text);
}

static void count_parents(cache_ref *r, int n)
{
	if (r->parent)
		r->parent->children += n;
	for (guint i = 0; r->inputs && i < r->inputs->len; i++)
		if (r->inputs->pdata[i])
			((cache_ref *)r->inputs->pdata[i])->children += n;
}

void record_add_locked(cache *c, cache_ref *r)
{
	g_hash_table_insert(c->records, r->id, r);
	count_parents(r, 1);
	chain_index_locked(c->by_chain, &r->chain_id, r);
	chain_index_locked(c->by_blob_chain, &r->blob_chain_id, r);
	for (guint i = 0; r->names && i < r->names->len; i++)
		name_index_locked(r, r->names->pdata[i]);
}

void record_chain_locked(cache_ref *r)
{
	const cache_ref *p = r->parent;
	bool base_known = !p || (digest_is_set(&p->chain_id) && digest_is_set(&p->blob_chain_id));
	if (!r->blob || !base_known || !digest_is_set(&r->diff_id) || digest_is_set(&r->blob_chain_id) ||
	    r->kind != RECORD_LAYER)
		return;
	static const struct digest none;
	struct digest blob_id;
	oci_chain_id(&r->blob->digest, &r->diff_id, &blob_id);
	oci_chain_id(p ? &p->chain_id : &none, &r->diff_id, &r->chain_id);
	oci_chain_id(p ? &p->blob_chain_id : &none, &blob_id, &r->blob_chain_id);
	chain_index_locked(r->cache->by_chain, &r->chain_id, r);
	chain_index_locked(r->cache->by_blob_chain, &r->blob_chain_id, r);
}

void record_dirty_locked(cache_ref *r)
{
	/* A mutable record that is removed with its last handle needs no row. */
	bool needs_row = !r->is_mutable || r->policy == CACHE_POLICY_RETAIN;
	if (r->dead || r->dirty || !needs_row)
		return;
	r->dirty = true;
	g_queue_push_tail(&r->cache->dirty, g_strdup(r->id));
	store_wake_locked(r->cache);
}

static void wake_waiting_locked(cache *c)
{
	if (c->waiting > 0)
		g_cond_broadcast(&c->changed);
}

void record_changed_locked(cache_ref *r)
{
	r->synced = false;
	r->content_serial = r->cache->serial + 1;
	record_dirty_locked(r);
}

void record_kill_locked(cache_ref *r)
{
	cache *c = r->cache;
	if (r->dead)
		return;
	r->dead = true;
	c->releases++;
	wake_waiting_locked(c);
	g_hash_table_remove(c->records, r->id);
	chain_unindex_locked(c->by_chain, &r->chain_id, r);
	chain_unindex_locked(c->by_blob_chain, &r->blob_chain_id, r);
	for (guint i = 0; r->names && i < r->names->len; i++)
		name_unindex_locked(r, r->names->pdata[i]);
	count_parents(r, -1);
	if (r->twin)
		r->twin->twin = NULL;
	r->twin = NULL;
	if (r->has_row && !r->dirty)
		g_queue_push_tail(&c->dirty, g_strdup(r->id));
	if (r->tree)
		tree_unref_locked(c, r->tree);
	r->tree = NULL;
	g_queue_push_tail(&c->removed, g_strdup(r->id));
	if (r->handles == 0)
		g_queue_push_tail(&c->dead, r);
	if (r->parent && r->parent->temporary && r->parent->handles == 0 && r->parent->children == 0)
		record_kill_locked(r->parent);
	store_wake_locked(c);
}

void record_seal_locked(cache_ref *r)
{
	if (r->twin && !r->is_mutable)
		record_kill_locked(r->twin);
	if (r->open)
		record_dirty_locked(r);
	r->open = false;
}

void record_release_dead(cache *c)
{
	GQueue removed = G_QUEUE_INIT, dead = G_QUEUE_INIT;
	g_mutex_lock(&c->mu);
	removed = c->removed;
	dead = c->dead;
	g_queue_init(&c->removed);
	g_queue_init(&c->dead);
	void (*hook)(void *data, const char *id) = c->removed_hook;
	void *data = c->removed_data;
	g_mutex_unlock(&c->mu);
	for (cache_ref *r; (r = g_queue_pop_head(&dead));)
		record_free(r);
	for (char *id; (id = g_queue_pop_head(&removed));) {
		if (hook)
			hook(data, id);
		g_free(id);
	}
}

/* ---- exclusive access for slow operations */
bool record_claim_locked(cache_ref *r, struct work *work, GError **error)
{
	cache *c = r->cache;
	cancel *stop = work ? work->cancel : NULL;
	if (!r->busy) {
		r->busy = true;
		return true;
	}
	g_mutex_unlock(&c->mu);
	cancel_watch watch;
	cancel_watch_start(&watch, stop, &c->mu, &c->changed);
	g_mutex_lock(&c->mu);
	c->waiting++;
	while (r->busy && !cancel_is_set(stop))
		g_cond_wait(&c->changed, &c->mu);
	c->waiting--;
	bool ok = !r->busy;
	if (ok)
		r->busy = true;
	g_mutex_unlock(&c->mu);
	cancel_watch_clear(&watch);
	g_mutex_lock(&c->mu);
	return ok || cancel_check(stop, error);
}

void record_unclaim_locked(cache_ref *r)
{
	r->busy = false;
	wake_waiting_locked(r->cache);
}

uint64_t cache_releases(cache *c)
{
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&c->mu);
	return c->releases;
}

bool cache_wait_release(cache *c, uint64_t seen, cancel *stop, GError **error)
{
	g_auto(cancel_watch) watch = {0};
	cancel_watch_start(&watch, stop, &c->mu, &c->changed);
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&c->mu);
	c->waiting++;
	while (c->releases == seen && !cancel_is_set(stop))
		g_cond_wait(&c->changed, &c->mu);
	c->waiting--;
	return cancel_check(stop, error);
}

/* ---- handles */
cache_ref *cache_ref_ref(cache_ref *r)
{
	if (!r)
		return NULL;
	g_mutex_lock(&r->cache->mu);
	r->handles++;
	g_mutex_unlock(&r->cache->mu);
	return r;
}

/* True when it was the last one. */
static bool handle_drop_locked(cache_ref *r)
{
	if (--r->handles > 0)
		return false;
	r->cache->releases++;
	wake_waiting_locked(r->cache);
	return true;
}

void cache_ref_unref(cache_ref *r)
{
	if (!r)
		return;
	cache *c = r->cache;
	snapshot_view *idle = NULL;
	g_mutex_lock(&c->mu);
	bool last = handle_drop_locked(r), release_dead = false;
	if (last && r->dead) {
		g_queue_push_tail(&c->dead, r);
		release_dead = true;
	} else if (last) {
		idle = r->tree ? tree_take_idle_view_locked(r->tree) : NULL;
		bool kept = r->is_mutable ? r->policy != CACHE_POLICY_DEFAULT : !r->temporary;
		release_dead = !kept && r->children == 0 && !r->twin;
		if (release_dead) {
			record_kill_locked(r);
		} else {
			r->last_used_ns = progress_now_ns();
			r->uses++;
			record_dirty_locked(r);
		}
	}
	g_mutex_unlock(&c->mu);
	snapshot_view_close(idle);
	if (release_dead)
		record_release_dead(c);
}

void cache_ref_set_temporary(cache_ref *r)
{
	if (!r)
		return;
	g_mutex_lock(&r->cache->mu);
	r->temporary = true;
	g_mutex_unlock(&r->cache->mu);
}

void record_pin_locked(cache_ref *r)
{
	r->handles++;
}

void record_unpin_locked(cache_ref *r)
{
	if (handle_drop_locked(r) && r->dead)
		g_queue_push_tail(&r->cache->dead, r);
}

const char *cache_ref_id(const cache_ref *r)
{
	return r->id;
}

bool cache_ref_is_mutable(const cache_ref *r)
{
	return r->is_mutable;
}

const char *cache_ref_description(const cache_ref *r)
{
	return r->description;
}

int64_t cache_ref_created_ns(const cache_ref *r)
{
	return r->created_ns;
}

cache_ref *cache_ref_parent(const cache_ref *r)
{
	return r->parent;
}

/* ---- names and values */
static guint find_name(const cache_ref *r, const char *name)
{
	for (guint i = 0; r->names && i < r->names->len; i++)
		if (strcmp(r->names->pdata[i], name) == 0)
			return i;
	return G_MAXUINT;
}

bool cache_ref_set_name(cache_ref *r, const char *name, GError **error)
{
	cache *c = r->cache;
	g_mutex_lock(&c->mu);
	bool fresh = !r->dead && find_name(r, name) == G_MAXUINT;
	if (fresh) {
		if (!r->names)
			r->names = g_ptr_array_new_with_free_func(g_free);
		g_ptr_array_add(r->names, g_strdup(name));
		name_index_locked(r, name);
		r->names_dirty = true;
		record_dirty_locked(r);
	}
	g_mutex_unlock(&c->mu);
	return true;
}

void cache_ref_clear_names(cache_ref *r)
{
	g_mutex_lock(&r->cache->mu);
	if (r->names && !r->dead) {
		for (guint i = 0; i < r->names->len; i++)
			name_unindex_locked(r, r->names->pdata[i]);
		g_ptr_array_set_size(r->names, 0);
		r->names_dirty = true;
		record_dirty_locked(r);
	}
	g_mutex_unlock(&r->cache->mu);
}

static gint newest_first(gconstpointer a, gconstpointer b)
{
	const cache_ref *x = *(cache_ref *const *)a, *y = *(cache_ref *const *)b;
	return (x->created_ns < y->created_ns) - (x->created_ns > y->created_ns);
}

char **cache_find_named(cache *c, const char *name)
{
	GPtrArray *ids = g_ptr_array_new();
	g_mutex_lock(&c->mu);
	GPtrArray *list = g_hash_table_lookup(c->by_name, name);
	g_autoptr(GPtrArray) sorted = list ? g_ptr_array_copy(list, NULL, NULL) : g_ptr_array_new();
	g_ptr_array_sort(sorted, newest_first);
	for (guint i = 0; i < sorted->len; i++)
		g_ptr_array_add(ids, g_strdup(((cache_ref *)sorted->pdata[i])->id));
	g_mutex_unlock(&c->mu);
	g_ptr_array_add(ids, NULL);
	return (char **)g_ptr_array_free(ids, FALSE);
}

static void forget_name_locked(cache_ref *r, const char *name)
{
	guint i = find_name(r, name);
	name_unindex_locked(r, name);
	if (i != G_MAXUINT)
		g_ptr_array_remove_index(r->names, i);
	r->names_dirty = true;
	record_dirty_locked(r);
	r->policy = CACHE_POLICY_DEFAULT;
	if (!r->is_mutable || r->handles > 0 || (r->twin && record_is_used_locked(r->twin)))
		return;
	if (r->twin)
		record_kill_locked(r->twin);
	record_kill_locked(r);
}

void cache_forget_named(cache *c, const char *name, bool prefix)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	g_mutex_lock(&c->mu);
	for (struct hash_walk it = hash_walk(c->by_name); hash_walk_next(&it);)
		if (prefix ? g_str_has_prefix(it.key, name) : strcmp(it.key, name) == 0)
			g_ptr_array_add(names, g_strdup(it.key));
	for (guint i = 0; i < names->len; i++)
		for (GPtrArray *list; (list = g_hash_table_lookup(c->by_name, names->pdata[i]));)
			forget_name_locked(list->pdata[0], names->pdata[i]);
	g_mutex_unlock(&c->mu);
	record_release_dead(c);
}

void record_set_value_locked(cache_ref *r, const char *key, const void *bytes, size_t n)
{
	if (!r->values)
		r->values = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_bytes_unref);
	g_hash_table_replace(r->values, g_strdup(key), g_bytes_new(bytes, n));
	r->values_dirty = true;
	record_dirty_locked(r);
}

bool cache_ref_set_value(cache_ref *r, const char *key, const void *bytes, size_t n, GError **error)
{
	g_mutex_lock(&r->cache->mu);
	record_set_value_locked(r, key, bytes, n);
	g_mutex_unlock(&r->cache->mu);
	return true;
}

GBytes *cache_ref_get_value(cache_ref *r, const char *key)
{
	g_mutex_lock(&r->cache->mu);
	GBytes *bytes = r->values ? g_hash_table_lookup(r->values, key) : NULL;
	if (bytes)
		g_bytes_ref(bytes);
	g_mutex_unlock(&r->cache->mu);
	return bytes;
}

/* ---- systems */
bool record_has_os_locked(const cache_ref *r, const char *os)
{
	GBytes *value = r->values ? g_hash_table_lookup(r->values, CACHE_LAYER_OS) : NULL;
	return value && g_bytes_get_size(value) == strlen(os) &&
	       memcmp(g_bytes_get_data(value, NULL), os, strlen(os)) == 0;
}

/* As upstream, differences have the form of Linux layers. Inputs of a merge are not merges themselves. */
bool record_is_windows_locked(const cache_ref *r)
{
	for (const cache_ref *at = r; at; at = at->parent) {
		if (record_has_os_locked(at, CACHE_OS_WINDOWS))
			return true;
		for (guint i = 0; at->kind == RECORD_MERGE && i < at->inputs->len; i++)
			if (at->inputs->pdata[i] && record_is_windows_locked(at->inputs->pdata[i]))
				return true;
	}
	return false;
}
