/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/imports.h"
#include "base/hash_walk.h"
#include "base/thread.h"
#include "remotecache/remotecache.h"
#include "source/source.h"

struct import {
	struct build *build; /* borrowed: it outlives its imports */
	char *id, *type;
	GHashTable *attrs;
	GThread *thread; /* NULL: no thread could be started; imports_start read the cache */
	GMutex mu;
	GCond changed;
	bool done;              /* mu */
	solver_import *content; /* counted; NULL: could not be read; set before done */
	unsigned faults;        /* number of lost layers already reported */
};
struct imports {
	struct build *build;
	GMutex mu;
	GHashTable *by_id; /* to struct import * (owned); mu */
};

struct remotecache_context build_cache_context(struct build *b)
{
	worker *w = builder_worker(b->builder);
	return (struct remotecache_context){
		.cache = w->cache,
		.blobs = w->blobs,
		.holds = b->holds,
		.registry = w->registry,
		.sessions = w->sessions,
		.job = b->job,
		.registry_auth = &source_registry_auth,
		.session_id = b->request->session,
	};
}

static void import_free(gpointer data)
{
	struct import *i = data;
	if (i->thread)
		g_thread_join(i->thread);
	solver_import_unref(i->content);
	g_hash_table_unref(i->attrs);
	g_mutex_clear(&i->mu);
	g_cond_clear(&i->changed);
	g_free(i->id);
	g_free(i->type);
	g_free(i);
}

static bool import_read(void *data, struct work *work, GError **error)
{
	struct import *i = data;
	struct remotecache_context context = build_cache_context(i->build);
	i->content = remotecache_import(&context, i->type, i->attrs, work, error);
	return i->content != NULL;
}

static void run_in_vertex(struct import *i, bool (*fn)(void *, struct work *, GError **))
{
	g_autofree char *name = g_strconcat("importing cache manifest from ", i->id, NULL);
	struct digest digest;
	digest_of_text(name, &digest);
	g_autoptr(GError) shown = NULL; /* reported by the vertex */
	solver_job_run_vertex(i->build->job, digest.text, name, i->build->cancel, fn, i, &shown);
}

static gpointer import_run(gpointer data)
{
	struct import *i = data;
	run_in_vertex(i, import_read);
	if (i->content)
		solver_job_add_import(i->build->job, i->content);
	g_mutex_lock(&i->mu);
	i->done = true;
	g_cond_broadcast(&i->changed);
	g_mutex_unlock(&i->mu);
	return NULL;
}

imports *imports_new(struct build *b)
{
	imports *i = g_new0(imports, 1);
	i->build = b;
	g_mutex_init(&i->mu);
	i->by_id = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, import_free);
	return i;
}

void imports_free(imports *i)
{
	if (!i)
		return;
	g_hash_table_unref(i->by_id);
	g_mutex_clear(&i->mu);
	g_free(i);
}

/* *ret_new is set if this call created it; the caller starts it. */
static struct import *import_ensure(imports *all, const struct cache_import *requested, bool *ret_new)
{
	g_autofree char *id = remotecache_import_id(requested->type, requested->attrs);
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&all->mu);
	struct import *i = g_hash_table_lookup(all->by_id, id);
	if (i)
		return i;
	i = g_new0(struct import, 1);
	i->build = all->build;
	i->id = g_steal_pointer(&id);
	i->type = g_strdup(requested->type);
	i->attrs = g_hash_table_ref(requested->attrs);
	g_mutex_init(&i->mu);
	g_cond_init(&i->changed);
	g_hash_table_insert(all->by_id, i->id, i);
	*ret_new = true;
	return i;
}

void imports_start(imports *i, const struct cache_import *requested, size_t n)
{
	for (size_t k = 0; k < n; k++) {
		bool fresh = false;
		struct import *one = import_ensure(i, &requested[k], &fresh);
		if (fresh && !(one->thread = thread_start("import", import_run, one, NULL)))
			import_run(one);
	}
}

/* The build's cancel token ends the reads, so the wait needs no timeout. */
bool imports_wait(imports *i, cancel *c, GError **error)
{
	g_mutex_lock(&i->mu);
	g_autoptr(GList) started = g_hash_table_get_values(i->by_id); /* none is removed */
	g_mutex_unlock(&i->mu);
	for (GList *l = started; l; l = l->next) {
		struct import *one = l->data;
		g_mutex_lock(&one->mu);
		while (!one->done)
			g_cond_wait(&one->changed, &one->mu);
		g_mutex_unlock(&one->mu);
	}
	return cancel_check(c, error);
}

/* ---- layers lost during the build */

static bool report_loss(void *data, struct work *work, GError **error)
{
	const struct import *i = data;
	return error_set(error, ERROR_DATA_LOSS,
			 "cache import from %s failed: layers are missing or damaged, their steps run again", i->id);
}

unsigned imports_losses(imports *all)
{
	g_autoptr(GPtrArray) lost = g_ptr_array_new();
	unsigned sum = 0;
	g_mutex_lock(&all->mu);
	for (struct hash_walk it = hash_walk(all->by_id); hash_walk_next(&it);) {
		struct import *i = it.value;
		g_mutex_lock(&i->mu);
		unsigned faults = i->done && i->content ? remotecache_import_faults(i->content) : 0;
		g_mutex_unlock(&i->mu);
		if (faults > i->faults)
			g_ptr_array_add(lost, i);
		i->faults = faults;
		sum += faults;
	}
	g_mutex_unlock(&all->mu);
	for (guint k = 0; k < lost->len; k++)
		run_in_vertex(lost->pdata[k], report_loss);
	return sum;
}
