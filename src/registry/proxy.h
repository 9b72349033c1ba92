/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proxy: selects the proxy of a request by the rules of Go's net/http.ProxyFromEnvironment.
 *
 *	if (!proxy_find(proxy_from_environment(), &url, &address, error)) return false;       address NULL: none
 *
 * HTTP_PROXY and http_proxy apply to http URLs, HTTPS_PROXY and https_proxy to https; ALL_PROXY is ignored. NO_PROXY
 * and no_proxy list domain names with their subdomains (".name": subdomains only), addresses, address prefixes and "*";
 * names and addresses may have a port. localhost and loopback addresses are always reached directly.
 * Thread: any; a configuration is immutable.
 */
#pragma once
#include "format/http_url.h"

typedef struct proxy_config proxy_config;

/* Empty texts and NULL are equal. cgi: the process runs as a CGI program, where HTTP_PROXY comes from the client. */
proxy_config *proxy_config_new(const char *http, const char *https, const char *no_proxy, bool cgi);
void proxy_config_free(proxy_config *p);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(proxy_config, proxy_config_free)
/* Returns the configuration of this process's environment, read once. */
const proxy_config *proxy_from_environment(void);

/*
 * Returns the proxy's URL in libcurl's form, owned, or NULL for a direct connection. Errors: FAILED_PRECONDITION under
 * CGI.
 */
bool proxy_find(const proxy_config *p, const struct http_url *url, char **ret_proxy, GError **error);
