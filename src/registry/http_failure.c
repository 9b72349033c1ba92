/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/http_failure.h"
#include "base/error.h"
#include "registry/libcurl.h"
#include <errno.h>
#include <string.h>

static bool proxy_refused(const struct http_failure *f)
{
	return f->code == CURLE_RECV_ERROR && f->proxy_status >= 300;
}

enum transport_failure http_failure_kind(const struct http_failure *f)
{
	if (proxy_refused(f))
		return TRANSPORT_OTHER;
	switch ((int)f->code) {
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return TRANSPORT_NO_HOST;
	case CURLE_COULDNT_CONNECT:
		return f->os_error == ETIMEDOUT ? TRANSPORT_TIMEOUT : TRANSPORT_REFUSED;
	case CURLE_OPERATION_TIMEDOUT:
		return TRANSPORT_TIMEOUT;
	case CURLE_SSL_CONNECT_ERROR:
		return strstr(f->detail, "wrong version number") || strstr(f->detail, "http request") ||
				       strstr(f->detail, "packet length too long")
			       ? TRANSPORT_NOT_TLS
			       : TRANSPORT_TLS;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
		return TRANSPORT_TLS;
	case CURLE_UNSUPPORTED_PROTOCOL: /* "HTTP/0.9": no status line */
	case CURLE_WEIRD_SERVER_REPLY:
		return TRANSPORT_NOT_HTTP;
	case CURLE_GOT_NOTHING:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
	case CURLE_PARTIAL_FILE:
		return TRANSPORT_BROKEN;
	default:
		return TRANSPORT_OTHER;
	}
}

static char *host_port(const struct http_url *u)
{
	return g_strdup_printf(strchr(u->host, ':') ? "[%s]:%d" : "%s:%d", u->host, u->port);
}

/* The address that is dialed: the proxy, if there is one. */
static void dialed(const struct http_failure *f, char **ret_host, char **ret_host_port)
{
	g_auto(http_url) proxy = {0};
	const char *scheme = f->proxy ? strstr(f->proxy, "://") : NULL;
	g_autofree char *as_http = scheme ? g_strconcat("http", scheme, NULL) : NULL;
	const struct http_url *u = as_http && http_url_parse(as_http, &proxy, NULL) ? &proxy : f->url;
	*ret_host = g_strdup(u->host);
	*ret_host_port = host_port(u);
}

static char *tls_text(const struct http_failure *f)
{
	static const struct {
		const char *openssl, *go;
	} known[] = {
		{"unable to get local issuer certificate", "certificate signed by unknown authority"},
		{"self-signed certificate", "certificate signed by unknown authority"},
		{"certificate has expired", "certificate has expired or is not yet valid"},
		{"certificate is not yet valid", "certificate has expired or is not yet valid"},
	};
	const char *hint =
		f->no_roots ? " (this machine has no CA certificates: install them or set SSL_CERT_FILE)" : "";
	for (size_t i = 0; i < G_N_ELEMENTS(known); i++)
		if (strstr(f->detail, known[i].openssl))
			return g_strdup_printf("tls: failed to verify certificate: x509: %s (%s)%s", known[i].go,
					       f->detail, hint);
	return g_strdup_printf("tls: %s%s", f->detail, f->code == CURLE_PEER_FAILED_VERIFICATION ? hint : "");
}

static char *broken_text(const struct http_failure *f)
{
	if (f->code == CURLE_GOT_NOTHING)
		return g_strdup("EOF");
	if (f->code == CURLE_PARTIAL_FILE)
		return g_strdup("unexpected EOF");
	return g_strdup(f->os_error ? error_errno_text((int)f->os_error) : "connection reset by peer");
}

static char *other_text(const struct http_failure *f, const char *detail)
{
	if (proxy_refused(f)) {
		g_autofree char *shown = http_url_show(f->proxy);
		g_autofree char *to = host_port(f->url);
		return g_strdup_printf("proxy %s refuses the connection to %s: status %ld", shown, to, f->proxy_status);
	}
	return g_strdup(detail);
}

char *http_failure_text(const struct http_failure *f)
{
	const char *detail = f->detail[0] ? f->detail : libcurl.easy_strerror(f->code);
	const char *through = f->proxy ? "proxyconnect tcp: " : "";
	g_autofree char *host = NULL, *to = NULL;
	dialed(f, &host, &to);
	switch (http_failure_kind(f)) {
	case TRANSPORT_NO_HOST:
		return g_strdup_printf("%sdial tcp: lookup %s: no such host", through, host);
	case TRANSPORT_REFUSED:
		return g_strdup_printf("%sdial tcp %s: connect: %s", through, to,
				       error_errno_text(f->os_error ? (int)f->os_error : ECONNREFUSED));
	case TRANSPORT_TIMEOUT:
		return g_strdup_printf("no data from %s for %ld s: i/o timeout", to, TRANSPORT_STALL_SECONDS);
	case TRANSPORT_TLS:
		return tls_text(f);
	case TRANSPORT_NOT_TLS:
		return g_strdup("http: server gave HTTP response to HTTPS client");
	case TRANSPORT_NOT_HTTP:
		return g_strdup("net/http: HTTP/1.x transport connection broken: malformed HTTP response");
	case TRANSPORT_BROKEN:
		return broken_text(f);
	case TRANSPORT_OTHER:
		return other_text(f, detail);
	case TRANSPORT_OK:
	case TRANSPORT_STOPPED:
		break;
	}
	return g_strdup(detail);
}
