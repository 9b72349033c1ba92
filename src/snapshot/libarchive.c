/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshot/libarchive.h"

struct libarchive_calls libarchive;

static const struct library_symbol symbols[] = {
#define X(name) LIBRARY_SYMBOL(archive_##name, struct libarchive_calls, name),
	LIBARCHIVE_CALLS(X)
#undef X
};

static struct library library = {"libarchive.so.13", symbols, G_N_ELEMENTS(symbols), 0};

bool libarchive_load(GError **error)
{
	return library_load(&library, &libarchive, error);
}
