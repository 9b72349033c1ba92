/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/libcurl.h"
#include "os/ca_roots.h"
#include <openssl/ssl.h>

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

/* The system's roots are loaded here, for the first TLS connection, because parsing them costs more than a small pull. */
static CURLcode on_ssl_context(CURL *easy, void *context, void *roots)
{
	return SSL_CTX_set1_cert_store(context, roots ? roots : ca_roots_system()), CURLE_OK;
}

bool libcurl_set_roots(CURL *easy, X509_STORE *roots, GError **error)
{
	libcurl.easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	libcurl.easy_setopt(easy, CURLOPT_PROXY_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	libcurl.easy_setopt(easy, CURLOPT_CAINFO, NULL);
	libcurl.easy_setopt(easy, CURLOPT_CAPATH, NULL);
	libcurl.easy_setopt(easy, CURLOPT_PROXY_CAINFO, NULL);
	libcurl.easy_setopt(easy, CURLOPT_PROXY_CAPATH, NULL);
	libcurl.easy_setopt(easy, CURLOPT_SSL_CTX_DATA, roots);
	return libcurl.easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_ssl_context) == CURLE_OK ||
	       error_set(error, ERROR_FAILED_PRECONDITION, "libcurl was not built with OpenSSL");
}
