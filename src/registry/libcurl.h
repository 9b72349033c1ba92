/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libcurl: the HTTP client library, loaded when the first request is made. With its dependencies (Kerberos, LDAP, SSH,
 * GnuTLS, ...) it would use half of an idle daemon's memory and most of a client's start time.
 *
 *	if (!libcurl_load(error)) return false;
 *	CURL *easy = libcurl.easy_init();
 *
 * Thread: any; the functions are available after libcurl_load returned true.
 */
#pragma once
#include "os/library.h"
#include <curl/curl.h>
#include <openssl/types.h>

#define LIBCURL_CALLS(X)                                                                                               \
	X(easy_cleanup)                                                                                                \
	X(easy_getinfo)                                                                                                \
	X(easy_init)                                                                                                   \
	X(easy_perform)                                                                                                \
	X(easy_reset)                                                                                                  \
	X(easy_setopt)                                                                                                 \
	X(easy_strerror)                                                                                               \
	X(getdate)                                                                                                     \
	X(global_init)                                                                                                 \
	X(multi_add_handle)                                                                                            \
	X(multi_cleanup)                                                                                               \
	X(multi_info_read)                                                                                             \
	X(multi_init)                                                                                                  \
	X(multi_perform)                                                                                               \
	X(multi_poll)                                                                                                  \
	X(multi_remove_handle)                                                                                         \
	X(multi_wakeup)                                                                                                \
	X(slist_append)                                                                                                \
	X(slist_free_all)

struct libcurl_calls {
#define X(name) typeof(curl_##name) *name;
	LIBCURL_CALLS(X)
#undef X
};

extern struct libcurl_calls libcurl;

/* Loads and initializes it once per process. */
bool libcurl_load(GError **error);
/*
 * Makes a handle verify TLS servers with these roots, borrowed (NULL: those of the system), in place of libcurl's own, which are
 * files of the distribution that it was built for; at least TLS 1.2. Errors: FAILED_PRECONDITION.
 */
bool libcurl_set_roots(CURL *easy, X509_STORE *roots, GError **error);
