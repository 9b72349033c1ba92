/* SPDX-License-Identifier: Apache-2.0 */
#include "solver/key_store.h"
#include "base/hash_walk.h"
#include "base/ident.h"
#include "solver/key_db.h"
#include <string.h>

#define SESSION_PREFIX "random:"
#define TABLE_MAX 16384   /* maximum entries in memory; then entries that are also on disk are dropped */
#define PENDING_MAX 65536 /* maximum changes kept while the disk accepts none */
#define SESSION_TABLE_MAX 4096

struct table {
	GHashTable *links;   /* text of (key, link) to a set of targets */
	GHashTable *results; /* key to GArray of struct key_result */
	GHashTable *keys_of; /* result to a set of keys */
};

struct key_store {
	key_db *db; /* NULL: in memory only */
	struct table lasting, session;
	GMutex write_mu;    /* held while a batch is written; taken before mu */
	GMutex mu;          /* guards the following members */
	GPtrArray *pending; /* struct key_change */
	bool writing;
};

static void result_clear(gpointer data)
{
	g_free(((struct key_result *)data)->id);
}

static void table_init(struct table *t)
{
	t->links = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_hash_table_unref);
	t->results = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_array_unref);
	t->keys_of = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_hash_table_unref);
}

static void table_empty(struct table *t)
{
	g_hash_table_remove_all(t->links);
	g_hash_table_remove_all(t->results);
	g_hash_table_remove_all(t->keys_of);
}

static void table_clear(struct table *t)
{
	g_hash_table_unref(t->links);
	g_hash_table_unref(t->results);
	g_hash_table_unref(t->keys_of);
}

static size_t table_size(const struct table *t)
{
	return g_hash_table_size(t->links) + g_hash_table_size(t->results);
}

static GPtrArray *changes_new(void)
{
	return g_ptr_array_new_with_free_func((GDestroyNotify)key_change_free);
}

key_store *key_store_open(int root_fd, GError **error)
{
	key_db *db = NULL;
	if (root_fd >= 0) {
		db = key_db_open(root_fd, error);
		if (!db)
			return NULL;
	}
	key_store *k = g_new0(key_store, 1);
	k->db = db;
	table_init(&k->lasting);
	table_init(&k->session);
	g_mutex_init(&k->write_mu);
	g_mutex_init(&k->mu);
	k->pending = changes_new();
	return k;
}

void key_store_close(key_store *k)
{
	if (!k)
		return;
	key_store_flush(k, false, NULL);
	key_db_close(k->db);
	table_clear(&k->lasting);
	table_clear(&k->session);
	g_ptr_array_unref(k->pending);
	g_mutex_clear(&k->write_mu);
	g_mutex_clear(&k->mu);
	g_free(k);
}

/* ---- ids */

char *key_root(const char *digest, int64_t output)
{
	g_autofree char *text = g_strdup_printf("%s@%" G_GINT64_FORMAT, digest, output);
	struct digest d;
	digest_of_text(text, &d);
	if (g_str_has_prefix(digest, SESSION_PREFIX))
		return g_strconcat(SESSION_PREFIX, digest_hex(&d), NULL);
	return g_strdup(d.text);
}

char *key_new(bool session_only)
{
	char id[IDENT_SIZE];
	ident_new(id);
	return g_strconcat(session_only ? SESSION_PREFIX : "", id, NULL);
}

bool key_is_session_only(const char *key)
{
	return g_str_has_prefix(key, SESSION_PREFIX);
}

static struct table *table_of(key_store *k, const char *key)
{
	return key_is_session_only(key) ? &k->session : &k->lasting;
}

/* ---- memory */

/* Drops entries that are also on disk, or belong to old sessions. */
static void make_room(key_store *k)
{
	if (table_size(&k->session) > SESSION_TABLE_MAX)
		table_empty(&k->session);
	if (!k->db || table_size(&k->lasting) <= TABLE_MAX)
		return;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&k->mu);
	if (k->pending->len == 0 && !k->writing)
		table_empty(&k->lasting);
}

static char *link_text(const char *from, const struct key_link *link)
{
	return g_strdup_printf("%s %" G_GINT64_FORMAT " %" G_GINT64_FORMAT " %s %s", from, link->input, link->output,
			       link->digest, link->selector);
}

static GHashTable *targets_get(key_store *k, const char *from, const struct key_link *link)
{
	struct table *t = table_of(k, from);
	g_autofree char *text = link_text(from, link);
	GHashTable *targets = g_hash_table_lookup(t->links, text);
	if (targets)
		return targets;
	targets = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	if (k->db && t == &k->lasting)
		key_db_targets(k->db, from, link, targets);
	g_hash_table_insert(t->links, g_steal_pointer(&text), targets);
	return targets;
}

static void keys_of_add(struct table *t, const char *result, const char *key)
{
	GHashTable *keys = g_hash_table_lookup(t->keys_of, result);
	if (!keys) {
		keys = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
		g_hash_table_insert(t->keys_of, g_strdup(result), keys);
	}
	g_hash_table_add(keys, g_strdup(key));
}

static GArray *results_get(key_store *k, const char *key)
{
	struct table *t = table_of(k, key);
	GArray *results = g_hash_table_lookup(t->results, key);
	if (results)
		return results;
	results = g_array_new(FALSE, FALSE, sizeof(struct key_result));
	g_array_set_clear_func(results, result_clear);
	if (k->db && t == &k->lasting)
		key_db_results(k->db, key, results);
	for (guint i = 0; i < results->len; i++)
		keys_of_add(t, g_array_index(results, struct key_result, i).id, key);
	g_hash_table_insert(t->results, g_strdup(key), results);
	return results;
}

static void remove_result(GArray *results, const char *result)
{
	for (guint i = results->len; i > 0; i--)
		if (strcmp(g_array_index(results, struct key_result, i - 1).id, result) == 0)
			g_array_remove_index_fast(results, i - 1);
}

static void table_forget(struct table *t, const char *result)
{
	GHashTable *keys = g_hash_table_lookup(t->keys_of, result);
	for (struct hash_walk it = hash_walk(keys); hash_walk_next(&it);) {
		GArray *results = g_hash_table_lookup(t->results, it.key);
		if (results)
			remove_result(results, result);
	}
	g_hash_table_remove(t->keys_of, result);
}

/* ---- changes */

static void queue(key_store *k, struct key_change change)
{
	if (!k->db)
		return;
	struct key_change *copy = g_memdup2(&change, sizeof change);
	copy->key = g_strdup(change.key);
	copy->other = g_strdup(change.other);
	copy->digest = g_strdup(change.digest);
	copy->selector = g_strdup(change.selector);
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&k->mu);
	g_ptr_array_add(k->pending, copy);
}

void key_store_find(key_store *k, const char *from, const struct key_link *link, GHashTable *ret_targets)
{
	make_room(k);
	for (struct hash_walk it = hash_walk(targets_get(k, from, link)); hash_walk_next(&it);)
		if (!g_hash_table_contains(ret_targets, it.key))
			g_hash_table_add(ret_targets, g_strdup(it.key));
}

bool key_store_has_link(key_store *k, const char *from, const struct key_link *link, const char *to)
{
	return g_hash_table_contains(targets_get(k, from, link), to);
}

void key_store_add_link(key_store *k, const char *from, const struct key_link *link, const char *to)
{
	make_room(k);
	g_hash_table_add(targets_get(k, from, link), g_strdup(to));
	if (key_is_session_only(from) || key_is_session_only(to))
		return;
	queue(k, (struct key_change){.type = KEY_ADD_LINK,
				     .key = (char *)from,
				     .other = (char *)to,
				     .digest = (char *)link->digest,
				     .selector = (char *)link->selector,
				     .input = link->input,
				     .output = link->output});
}

void key_store_results(key_store *k, const char *key, GArray *ret_results)
{
	make_room(k);
	const GArray *results = results_get(k, key);
	for (guint i = 0; i < results->len; i++) {
		struct key_result r = g_array_index(results, struct key_result, i);
		r.id = g_strdup(r.id);
		g_array_append_val(ret_results, r);
	}
}

void key_store_add_result(key_store *k, const char *key, const char *result, int64_t created_ns)
{
	make_room(k);
	GArray *results = results_get(k, key);
	remove_result(results, result);
	struct key_result r = {.id = g_strdup(result), .created_ns = created_ns};
	g_array_append_val(results, r);
	keys_of_add(table_of(k, key), result, key);
	if (!key_is_session_only(key))
		queue(k, (struct key_change){.type = KEY_ADD_RESULT,
					     .key = (char *)key,
					     .other = (char *)result,
					     .created_ns = created_ns});
}

void key_store_forget(key_store *k, const char *result)
{
	table_forget(&k->session, result);
	table_forget(&k->lasting, result);
	queue(k, (struct key_change){.type = KEY_FORGET, .other = (char *)result});
}

void key_store_forget_pair(key_store *k, const char *key, const char *result)
{
	remove_result(results_get(k, key), result);
	if (!key_is_session_only(key))
		queue(k, (struct key_change){.type = KEY_FORGET_PAIR, .key = (char *)key, .other = (char *)result});
}

/* Parses "from input output digest selector", as written by link_text. */
static void report_link(const char *text, key_backlink_fn fn, void *data)
{
	g_auto(GStrv) part = g_strsplit(text, " ", 5);
	if (g_strv_length(part) != 5)
		return;
	struct key_link link = {.input = g_ascii_strtoll(part[1], NULL, 10),
				.output = g_ascii_strtoll(part[2], NULL, 10),
				.digest = part[3],
				.selector = part[4]};
	fn(data, part[0], &link);
}

void key_store_backlinks(key_store *k, const char *key, key_backlink_fn fn, void *data)
{
	if (key_is_session_only(key))
		return;
	if (k->db) {
		key_db_backlinks(k->db, key, fn, data);
		return;
	}
	for (struct hash_walk it = hash_walk(k->lasting.links); hash_walk_next(&it);)
		if (g_hash_table_contains(it.value, key))
			report_link(it.key, fn, data);
}

bool key_store_needs_flush(key_store *k)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&k->mu);
	return k->pending->len > 0 && !k->writing;
}

/*
 * Nothing was written: the batch is pending again, before the changes that came meanwhile. If too much is pending, the
 * oldest changes are dropped: keys without them lead nowhere or to steps that run again.
 */
static void give_back(key_store *k, GPtrArray **batch)
{
	g_ptr_array_extend_and_steal(*batch, g_steal_pointer(&k->pending));
	k->pending = g_steal_pointer(batch);
	if (k->pending->len > PENDING_MAX)
		g_ptr_array_remove_range(k->pending, 0, k->pending->len - PENDING_MAX);
}

bool key_store_flush(key_store *k, bool durable, GError **error)
{
	if (!k->db)
		return true;
	g_autoptr(GMutexLocker) writer = g_mutex_locker_new(&k->write_mu);
	g_mutex_lock(&k->mu);
	g_autoptr(GPtrArray) batch = g_steal_pointer(&k->pending);
	k->pending = changes_new();
	k->writing = true;
	g_mutex_unlock(&k->mu);
	bool ok = (batch->len == 0 && !durable) || key_db_write(k->db, batch, durable, error);
	g_mutex_lock(&k->mu);
	if (!ok)
		give_back(k, &batch);
	k->writing = false;
	g_mutex_unlock(&k->mu);
	return ok;
}
