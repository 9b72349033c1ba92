/* SPDX-License-Identifier: Apache-2.0 */
/*
 * library: loads shared libraries at first use, because mapping them costs memory and time and few runs need them.
 *
 *	static const struct library_symbol symbols[] = {LIBRARY_SYMBOL(curl_easy_init, struct calls, easy_init)};
 *	static struct library library = {.soname = "libcurl.so.4", .symbols = symbols, .n_symbols = 1};
 *	if (!library_load(&library, &calls, error)) ...
 *
 * A self-contained program has the library linked in: the table is filled from that, without loading.
 *
 * Only for libraries that the build found and whose headers it used; one file per library has the soname and the calls
 * (registry/libcurl, snapshot/libarchive, cdi/libyaml). Failing to load a library is an error (FAILED_PRECONDITION); there is no
 * fallback. Libraries stay loaded. Thread: any.
 */
#pragma once
#include "base/error.h"

struct library_symbol {
	const char *name;
	size_t offset;        /* of a function pointer in the calls table */
	void (*linked)(void); /* NULL: look it up in the library */
};
#ifdef SELF_CONTAINED
#define LIBRARY_SYMBOL(function, table, member)                                                                        \
	{                                                                                                              \
#function, G_STRUCT_OFFSET(table, member), (void (*)(void))function                                    \
	}
#else
#define LIBRARY_SYMBOL(function, table, member)                                                                        \
	{                                                                                                              \
#function, G_STRUCT_OFFSET(table, member), NULL                                                        \
	}
#endif

struct library {
	const char *soname;
	const struct library_symbol *symbols;
	size_t n_symbols;
	gsize loaded; /* 1 once the table is filled */
};

/* Fills the table at calls, once per process; after true every calling thread may read it without a lock. */
bool library_load(struct library *library, void *calls, GError **error);
