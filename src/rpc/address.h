/* SPDX-License-Identifier: Apache-2.0 */
/*
 * address: parses "unix:///path" and "tcp://host:port".
 *
 *	switch (address_parse(text, &rest, error)) ...
 *	struct addrinfo *list = address_resolve("host:port", passive, error);      freeaddrinfo
 *
 * Thread: any; resolving blocks.
 */
#pragma once
#include "base/error.h"
#include <netdb.h>

enum address_kind { ADDRESS_INVALID, ADDRESS_UNIX, ADDRESS_TCP };

/* ret_rest is borrowed from text: the path, or host:port. */
enum address_kind address_parse(const char *text, const char **ret_rest, GError **error);
/* Returns the host of "host:port" without brackets; NULL if it is malformed. Newly allocated. */
char *address_host(const char *host_port);
struct addrinfo *address_resolve(const char *host_port, bool passive, GError **error);
