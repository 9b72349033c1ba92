/* SPDX-License-Identifier: Apache-2.0 */
#include "os/library.h"
#include <dlfcn.h>
#include <string.h>

static GMutex mu; /* allows one load at a time */

static bool fill(const struct library *library, void *handle, char *calls, GError **error)
{
	for (size_t i = 0; i < library->n_symbols; i++) {
		const struct library_symbol *symbol = &library->symbols[i];
		void *address = symbol->linked ? (void *)symbol->linked : dlsym(handle, symbol->name);
		if (!address)
			return error_set(error, ERROR_FAILED_PRECONDITION, "%s has no %s", library->soname,
					 symbol->name);
		memcpy(calls + symbol->offset, &address, sizeof address);
	}
	return true;
}

/* Leaves the symbol NULL unless all of the library is linked in. */
static bool open_handle(const struct library *library, void **ret_handle, GError **error)
{
	if (library->n_symbols > 0 && library->symbols[0].linked)
		return true;
	/* Binds all symbols now, so that a missing one fails here rather than in the middle of a transfer. */
	*ret_handle = dlopen(library->soname, RTLD_NOW | RTLD_LOCAL);
	if (*ret_handle)
		return true;
	const char *why = dlerror();
	return error_set(error, ERROR_FAILED_PRECONDITION, "load %s: %s", library->soname, why ? why : "unknown error");
}

bool library_load(struct library *library, void *calls, GError **error)
{
	if (g_atomic_pointer_get(&library->loaded))
		return true;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&mu);
	if (library->loaded)
		return true;
	void *handle = NULL;
	if (!open_handle(library, &handle, error) || !fill(library, handle, calls, error))
		return false;
	g_atomic_pointer_set(&library->loaded, (gsize)1);
	return true;
}
