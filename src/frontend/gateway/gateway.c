/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/gateway/gateway_internal.h"
#include "base/ident.h"
#include "base/limits.h"

static void ref_free(gpointer data)
{
	bridge_ref *ref = data;
	if (ref)
		ref->class->ref_unref(ref);
}

gateway *gateway_new(bridge *b, GHashTable *inputs, worker *const *workers, size_t n_workers, const struct work *work)
{
	gateway *g = g_new0(gateway, 1);
	g->refs = 1;
	g->bridge = b;
	g->inputs = inputs;
	g->workers = workers;
	g->n_workers = n_workers;
	g->work = *work;
	g_mutex_init(&g->mu);
	g_cond_init(&g->changed);
	g_queue_init(&g->failed_ops);
	g->failed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)cache_ref_unref);
	g->containers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)container_unref);
	g->streams = g_ptr_array_new();
	g->handed_out = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, ref_free);
	return g;
}

gateway *gateway_ref(gateway *g)
{
	g_atomic_int_inc(&g->refs);
	return g;
}

void gateway_unref(gateway *g)
{
	if (!g || !g_atomic_int_dec_and_test(&g->refs))
		return;
	gateway_drop_failures_locked(g);
	g_hash_table_unref(g->handed_out);
	g_hash_table_unref(g->containers);
	g_hash_table_unref(g->failed);
	g_ptr_array_unref(g->streams);
	build_result_unref(g->result);
	g_clear_error(&g->error);
	g_mutex_clear(&g->mu);
	g_cond_clear(&g->changed);
	g_free(g);
}

build_result *gateway_wait(gateway *g, cancel *c, GError **error)
{
	g_auto(cancel_watch) watch = {0};
	cancel_watch_start(&watch, c, &g->mu, &g->changed);
	build_result *result = NULL;
	g_mutex_lock(&g->mu);
	while (!g->returned && !g->closed && !cancel_is_set(c))
		g_cond_wait(&g->changed, &g->mu);
	if (g->returned && g->error)
		g_propagate_error(error, g_error_copy(g->error));
	else if (g->returned)
		result = build_result_ref(g->result);
	else if (cancel_check(c, error))
		error_set(error, ERROR_UNKNOWN, "no result for incomplete build");
	g_mutex_unlock(&g->mu);
	return result;
}

void gateway_on_return(gateway *g, void (*fn)(void *data), void *data)
{
	g->on_return = fn;
	g->on_return_data = data;
}

bool gateway_get_result(gateway *g, build_result **ret_result, GError **ret_error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&g->mu);
	if (!g->returned)
		return false;
	if (g->error)
		*ret_error = g_error_copy(g->error);
	else
		*ret_result = build_result_ref(g->result);
	return true;
}

void gateway_close(gateway *g)
{
	g_mutex_lock(&g->mu);
	g->closed = true;
	g_cond_broadcast(&g->changed);
	gateway_abort_streams_locked(g);
	/* Wait for running calls, whose work is already cancelled: the bridge is freed after this. */
	while (g->calls > 0)
		g_cond_wait(&g->changed, &g->mu);
	g_hash_table_remove_all(g->containers); /* no call uses them any more */
	gateway_drop_failures_locked(g);
	g_hash_table_remove_all(g->handed_out);
	g_clear_pointer(&g->result, build_result_unref);
	g_mutex_unlock(&g->mu);
}

bool gateway_admit_solve(gateway *g, size_t bytes, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&g->mu);
	if (g->n_solves >= LIMIT_SOLVES)
		return error_set(error, ERROR_RESOURCE_EXHAUSTED, "more than %lld solve requests", LIMIT_SOLVES);
	if ((int64_t)bytes > LIMIT_SOLVE_BYTES - g->solve_bytes)
		return error_set(error, ERROR_RESOURCE_EXHAUSTED, "more than %lld bytes in solve requests",
				 LIMIT_SOLVE_BYTES);
	g->n_solves++;
	g->solve_bytes += (int64_t)bytes;
	return true;
}

const char *gateway_ref_add(gateway *g, bridge_ref *ref)
{
	if (!ref)
		return "";
	char *id = g_malloc(IDENT_SIZE);
	ident_new(id);
	g_mutex_lock(&g->mu);
	g_hash_table_insert(g->handed_out, id, ref);
	g_mutex_unlock(&g->mu);
	return id;
}

bool gateway_find_ref(gateway *g, const char *id, bridge_ref **ret, GError **error)
{
	*ret = NULL;
	if (!*id)
		return true;
	g_mutex_lock(&g->mu);
	gpointer found = NULL;
	bool known = g_hash_table_lookup_extended(g->handed_out, id, NULL, &found);
	if (!known && g->result) {
		/* Session exporters name the refs of the returned result by their record or platform, as upstream. */
		bridge_ref *ref = NULL;
		known = build_result_find_ref(g->result, id, &ref);
		found = ref;
	}
	g_autofree char *all = NULL;
	if (!known) {
		g_autofree gpointer *keys = (gpointer *)g_hash_table_get_keys_as_array(g->handed_out, NULL);
		all = g_strjoinv(" ", (char **)keys);
	}
	g_mutex_unlock(&g->mu);
	if (!known)
		return error_set(error, ERROR_UNKNOWN, "no such ref: %s, all [%s]", id, all);
	*ret = found;
	return true;
}

bool gateway_return(gateway *g, build_result *result, GError *failure, GError **error)
{
	g_mutex_lock(&g->mu);
	bool first = !g->returned;
	if (first) {
		g->returned = true;
		g->result = result ? build_result_ref(result) : NULL;
		g->error = failure ? g_error_copy(failure) : NULL;
		if (g->on_return)
			g->on_return(g->on_return_data);
		g_cond_broadcast(&g->changed);
	}
	g_mutex_unlock(&g->mu);
	return first || error_set(error, ERROR_UNKNOWN, "gateway result is already set");
}
