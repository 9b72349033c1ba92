/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/libcurl.h"

struct libcurl_calls libcurl;

static const struct library_symbol symbols[] = {
#define X(name) LIBRARY_SYMBOL(curl_##name, struct libcurl_calls, name),
	LIBCURL_CALLS(X)
#undef X
};

static struct library library = {"libcurl.so.4", symbols, G_N_ELEMENTS(symbols), 0};

bool libcurl_load(GError **error)
{
	static gsize ready;
	if (!library_load(&library, &libcurl, error))
		return false;
	if (g_once_init_enter(&ready))
		g_once_init_leave(&ready, 1 + (gsize)libcurl.global_init(CURL_GLOBAL_DEFAULT));
	return ready == 1 || error_set(error, ERROR_FAILED_PRECONDITION, "initialize libcurl: %s",
				       libcurl.easy_strerror((CURLcode)(ready - 1)));
}
