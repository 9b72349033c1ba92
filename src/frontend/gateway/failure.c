/* SPDX-License-Identifier: Apache-2.0 */
/* Failed ops stay reachable for the client: it can start containers with the trees that they had. */
#include "frontend/gateway/gateway_internal.h"
#include "base/ident.h"
#include "ops/failure.h"

/* Appends a JSON array with an id for each tree, "" for none. Requires mu. */
static void register_locked(gateway *g, const char *name, cache_ref *const *refs, size_t n, GString *json)
{
	if (n == 0)
		return;
	g_string_append_printf(json, "\"%s\":[", name);
	for (size_t i = 0; i < n; i++) {
		char id[IDENT_SIZE] = "";
		if (refs[i]) {
			ident_new(id);
			g_hash_table_insert(g->failed, g_strdup(id), cache_ref_ref(refs[i]));
		}
		g_string_append_printf(json, "%s\"%s\"", i > 0 ? "," : "", id);
	}
	g_string_append(json, "],");
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
	const op_failure *f = op_failure_get(error);
	const char *detail = f ? solve_detail(error) : NULL;
	if (!detail)
		return;
	g_autoptr(GString) json = g_string_new("{");
	g_mutex_lock(&g->mu);
	if (!g->closed) {
		register_locked(g, "inputIDs", f->inputs, f->n_inputs, json);
		register_locked(g, "mountIDs", f->mounts, f->n_mounts, json);
	}
	g_mutex_unlock(&g->mu);
	g_string_append(json, detail + 1); /* the members of the object */
	error_set_detail(error, "errdefs.Solve", json->str);
}

cache_ref *gateway_find_failed(gateway *g, const char *id)
{
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&g->mu);
	return g_hash_table_lookup(g->failed, id);
}
