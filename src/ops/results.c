/* SPDX-License-Identifier: Apache-2.0 */
/* Results are records of the cache; their persistent id is "<worker id>::<record id>". */
#include "ops/op.h"

static void *result_ref(void *result)
{
	return result ? cache_ref_ref(result) : NULL;
}

static void result_unref(void *result)
{
	cache_ref_unref(result);
}

static char *result_save(void *data, void *result, int64_t *ret_created_ns)
{
	const worker *w = data;
	if (!result) {
		*ret_created_ns = 0;
		return g_strdup("");
	}
	*ret_created_ns = cache_ref_created_ns(result);
	return g_strconcat(w->id, "::", cache_ref_id(result), NULL);
}

/* Returns the record id in a result id of this worker; NULL if it belongs to another worker. */
static const char *record_id(const worker *w, const char *id)
{
	size_t n = strlen(w->id);
	return strncmp(id, w->id, n) == 0 && strncmp(id + n, "::", 2) == 0 ? id + n + 2 : NULL;
}

static bool result_load(void *data, const char *id, struct work *work, void **ret_result, GError **error)
{
	const worker *w = data;
	if (*id == '\0') {
		*ret_result = NULL;
		return true;
	}
	const char *record = record_id(w, id);
	if (!record)
		return error_set(error, ERROR_NOT_FOUND, "worker of result %s not found", id);
	cache_ref *r = cache_get(w->cache, record, error);
	if (!r)
		return false;
	*ret_result = r;
	return true;
}

static bool result_exists(void *data, const char *id)
{
	const worker *w = data;
	if (*id == '\0')
		return true;
	const char *record = record_id(w, id);
	g_autoptr(cache_ref) r = record ? cache_get(w->cache, record, NULL) : NULL;
	return r != NULL;
}

static bool result_lost(void *data, void *result)
{
	return !cache_ref_is_complete(result);
}

static void result_settle(void *data)
{
	const worker *w = data;
	cache_settle(w->cache);
}

const struct solver_result_class ops_results = {
	.ref = result_ref,
	.unref = result_unref,
	.save = result_save,
	.load = result_load,
	.exists = result_exists,
	.lost = result_lost,
	.settle = result_settle,
};
