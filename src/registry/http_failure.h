/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http_failure: the reason why a request has no response, derived from libcurl's error, with Go's text where users know
 * it.
 *
 *	struct http_failure f = {.code = code, .detail = text, .os_error = errnum, .url = &url, .proxy = proxy};
 *	*ret_failure = http_failure_kind(&f);
 *	g_autofree char *text = http_failure_text(&f);
 *
 * Thread: any.
 */
#pragma once
#include "format/http_url.h"
#include "registry/transport.h"
#include <curl/curl.h>

#define TRANSPORT_STALL_SECONDS 60L

struct http_failure {
	CURLcode code;
	const char *detail; /* libcurl's text, "" if it has none */
	long os_error;      /* errno of the socket, or 0 */
	long proxy_status;  /* status of a proxy's answer to CONNECT, or 0 */
	const struct http_url *url;
	const char *proxy; /* NULL: none */
	bool no_roots;     /* the machine has no CA certificates */
};
enum transport_failure http_failure_kind(const struct http_failure *f);
char *http_failure_text(const struct http_failure *f);
