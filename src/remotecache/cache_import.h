/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache_import: caches to import, as a request names them.
 *
 *	g_autoptr(GArray) imports = cache_imports_new();
 *	cache_imports_add(imports, "registry", attrs);
 *
 * Thread: any, one at a time.
 */
#pragma once
#include <glib.h>

struct cache_import {
	char *type;
	GHashTable *attrs; /* char * to char * */
};
GArray *cache_imports_new(void); /* element type: struct cache_import (owned) */
/* Copies type and takes attrs. */
void cache_imports_add(GArray *imports, const char *type, GHashTable *attrs);
