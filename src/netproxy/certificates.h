/* SPDX-License-Identifier: Apache-2.0 */
/*
 * netproxy_ca: a certificate authority that exists for one step, and the server certificates that it issues.
 *
 *	netproxy_ca *ca = netproxy_ca_new(error);
 *	netproxy_ca_pem(ca)                                    trusted by the step
 *	SSL *ssl = netproxy_ca_accept(ca, "host", error);      a server with a certificate of the host
 *
 * Keys are P-256, stay in memory, and are freed with the authority. TLS 1.2 or newer; ALPN selects http/1.1. A client
 * that names another server (SNI) gets an alert. Thread: any.
 */
#pragma once
#include "base/error.h"
#include <openssl/types.h>

typedef struct netproxy_ca netproxy_ca;

netproxy_ca *netproxy_ca_new(GError **error);
void netproxy_ca_free(netproxy_ca *ca);
const char *netproxy_ca_pem(const netproxy_ca *ca); /* borrowed */
/* host: a name or an address (netproxy_target.host), borrowed until the result is freed. Returns an SSL without a BIO, owned. */
SSL *netproxy_ca_accept(netproxy_ca *ca, const char *host, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(netproxy_ca, netproxy_ca_free)
