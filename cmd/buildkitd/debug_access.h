/* SPDX-License-Identifier: Apache-2.0 */
/*
 * debug_access: who may see the pages of the debug address that show builds.
 *
 *	g_autoptr(debug_access) a = debug_access_new(root_fd, "127.0.0.1:6060", error);
 *	switch (debug_access_check(a, &request)) ...
 *
 * On tcp a request needs the token, which is in the file debug-token of the state directory (mode 0600, made at the first
 * start): as "Authorization: Bearer TOKEN", or as the cookie that follows from it. On a unix socket the mode of the socket
 * decides. The Host field must be an IP address, localhost or the host of the configured address, so
 * that a page of another site cannot reach the daemon under its own name (DNS rebinding). Thread: any.
 */
#pragma once
#include "format/http_request.h"

typedef struct debug_access debug_access;
enum debug_access_result {
	DEBUG_ACCESS_OK,
	DEBUG_ACCESS_TOKEN /* is missing or wrong */,
	DEBUG_ACCESS_HOST /* is foreign */
};

/* address: as for debug_server_start. */
debug_access *debug_access_new(int root_fd, const char *address, GError **error);
void debug_access_free(debug_access *a);
enum debug_access_result debug_access_check(const debug_access *a, const struct http_request *r);
/* Compares in constant time. */
bool debug_access_is_token(const debug_access *a, const char *token);
/* The value of Set-Cookie for a browser that sent the token. Owned. */
char *debug_access_cookie(const debug_access *a);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(debug_access, debug_access_free)
