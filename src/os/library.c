/* SPDX-License-Identifier: Apache-2.0 */
#include "os/library.h"
#include <dlfcn.h>
#include <string.h>

static GMutex mu; /* one load at a time */

static bool fill(const struct library *library, void *handle, char *calls, GError **error)
{
	for (size_t i = 0; i < library->n_symbols; i++) {
		void *symbol = dlsym(handle, library->symbols[i].name);
		if (!symbol)
			return error_set(error, ERROR_FAILED_PRECONDITION, "%s has no %s", library->soname,
					 library->symbols[i].name);
		memcpy(calls + library->symbols[i].offset, &symbol, sizeof symbol);
	}
	return true;
}

bool library_load(struct library *library, void *calls, GError **error)
{
	if (g_atomic_pointer_get(&library->loaded))
		return true;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&mu);
	if (library->loaded)
		return true;
	/* All symbols now: a library that lacks one must fail here and not in the middle of a transfer. */
	void *handle = dlopen(library->soname, RTLD_NOW | RTLD_LOCAL);
	if (!handle) {
		const char *why = dlerror();
		return error_set(error, ERROR_FAILED_PRECONDITION, "load %s: %s", library->soname, why ? why : "unknown error");
	}
	if (!fill(library, handle, calls, error))
		return false;
	g_atomic_pointer_set(&library->loaded, (gsize)1);
	return true;
}
