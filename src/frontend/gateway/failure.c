/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Failed ops stay reachable for the client: it can start containers with the trees that they had, until LIMIT_FAILURES
 * other ops of the build have failed.
 */
#include "frontend/gateway/gateway_internal.h"
#include "base/ident.h"
#include "base/limits.h"
#include "ops/failure.h"

struct failed_op {
	op_failure *failure; /* held */
	char *json;          /* owned; the members that name its trees: "inputIDs":[...],"mountIDs":[...], */
	GPtrArray *ids;      /* element type: char *; in gateway.failed */
};

static void failed_op_free(struct failed_op *one)
{
	g_ptr_array_unref(one->ids);
	g_free(one->json);
	g_free(one);
}

/* Appends a JSON array with an id for each tree, "" for none. Requires mu. */
static void register_locked(gateway *g, struct failed_op *one, const char *name, size_t n,
			    cache_ref *(*tree)(op_failure *f, size_t i), GString *json)
{
	if (n == 0)
		return;
	g_string_append_printf(json, "\"%s\":[", name);
	for (size_t i = 0; i < n; i++) {
		char id[IDENT_SIZE] = "";
		cache_ref *ref = tree(one->failure, i);
		if (ref) {
			ident_new(id);
			g_ptr_array_add(one->ids, g_strdup(id));
			g_hash_table_insert(g->failed, g_strdup(id), ref);
		}
		g_string_append_printf(json, "%s\"%s\"", i > 0 ? "," : "", id);
	}
	g_string_append(json, "],");
}

/* Returns the failed op, which becomes the newest one. Requires mu. */
static struct failed_op *keep_locked(gateway *g, op_failure *f)
{
	for (GList *l = g->failed_ops.head; l; l = l->next) {
		struct failed_op *one = l->data;
		if (one->failure == f) {
			g_queue_unlink(&g->failed_ops, l);
			g_queue_push_tail_link(&g->failed_ops, l);
			return one;
		}
	}
	struct failed_op *one = g_new0(struct failed_op, 1);
	g_autoptr(GString) json = g_string_new(NULL);
	one->failure = op_failure_hold(f);
	one->ids = g_ptr_array_new_with_free_func(g_free);
	register_locked(g, one, "inputIDs", f->n_inputs, op_failure_input, json);
	register_locked(g, one, "mountIDs", f->n_mounts, op_failure_mount, json);
	one->json = g_strdup(json->str);
	g_queue_push_tail(&g->failed_ops, one);
	return one;
}

/* Drops the oldest failed op beyond the limit. Requires mu. */
static void drop_oldest_locked(gateway *g)
{
	if (g->failed_ops.length <= LIMIT_FAILURES)
		return;
	struct failed_op *oldest = g_queue_pop_head(&g->failed_ops);
	for (guint i = 0; i < oldest->ids->len; i++)
		g_hash_table_remove(g->failed, oldest->ids->pdata[i]);
	op_failure_release(oldest->failure);
	failed_op_free(oldest);
}

static const char *solve_detail(const GError *error)
{
	const GPtrArray *details = error_get_details(error);
	for (guint i = details ? details->len : 0; i > 0; i--) {
		const struct error_detail *d = details->pdata[i - 1];
		if (g_str_equal(d->type, "errdefs.Solve"))
			return d->json;
	}
	return NULL;
}

void gateway_keep_failure(gateway *g, GError *error)
{
	op_failure *f = op_failure_get(error);
	const char *detail = f ? solve_detail(error) : NULL;
	if (!detail)
		return;
	g_autoptr(GString) json = g_string_new("{");
	g_mutex_lock(&g->mu);
	if (!g->closed) {
		g_string_append(json, keep_locked(g, f)->json);
		drop_oldest_locked(g);
	}
	g_mutex_unlock(&g->mu);
	g_string_append(json, detail + 1); /* the members of the object */
	error_set_detail(error, "errdefs.Solve", json->str);
}

cache_ref *gateway_find_failed(gateway *g, const char *id)
{
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&g->mu);
	cache_ref *ref = g_hash_table_lookup(g->failed, id);
	return ref ? cache_ref_ref(ref) : NULL;
}

void gateway_drop_failures_locked(gateway *g)
{
	struct failed_op *one;
	while ((one = g_queue_pop_head(&g->failed_ops)) != NULL) {
		op_failure_unhold(one->failure);
		failed_op_free(one);
	}
	g_hash_table_remove_all(g->failed);
}
