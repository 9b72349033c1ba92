/* SPDX-License-Identifier: Apache-2.0 */
#include "remotecache/backend.h"
#include <string.h>

#define BACKEND_ADDRESS(type) &cache_backend_##type,
static const struct cache_backend *const backends[] = {CACHE_BACKENDS(BACKEND_ADDRESS)};

const struct cache_backend *cache_backend_find(const char *type)
{
	for (size_t i = 0; i < G_N_ELEMENTS(backends); i++)
		if (strcmp(backends[i]->type, type) == 0)
			return backends[i];
	return NULL;
}

bool cache_backend_check(const struct cache_backend *b, const char *what, GHashTable *attrs, GError **error)
{
	if (!b->check)
		return true;
	if (!b->check(attrs, error))
		return error_prefix(error, "failed to configure %s cache %ser: ", b->type, what);
	return error_set(error, ERROR_UNIMPLEMENTED, "cache %s of type \"%s\" is not supported", what, b->type);
}
