/* SPDX-License-Identifier: Apache-2.0 */
/*
 * netns: network namespaces and links, without CNI.
 *
 *	scoped_fd fd = netns_create(path, error);       a new namespace with lo up, bind mounted on the file path
 *	scoped_fd fd = netns_open(path, error);         the namespace that is mounted there
 *	netns_remove(path, error);                      unmounts it and removes the file
 *
 * Thread: any. Namespaces are entered on separate threads, so that the caller's stays in its own.
 */
#pragma once
#include "base/error.h"

/* path is absolute. The descriptor keeps the namespace alive. */
int netns_create(const char *path, GError **error);
/* Opens the namespace that is mounted on path. NOT_FOUND if none is. */
int netns_open(const char *path, GError **error);
bool netns_remove(const char *path, GError **error);
/*
 * Creates an interface with these addresses (of char *, "10.0.0.2/16") in the namespace. CNI plugins delete rules for the
 * addresses that they find on the interface.
 */
bool netns_add_interface(int ns_fd, const char *name, const GPtrArray *addresses, GError **error);

/*
 * Returns a non-blocking TCP socket of the namespace that listens on the address, which lo gets, and its port. Only
 * processes in the namespace can connect to it.
 */
int netns_listen(int ns_fd, const char *address, uint16_t *ret_port, GError **error);
/* socket(2) in the namespace. */
int netns_socket(int ns_fd, int family, int type, int protocol, GError **error);

/* Links of the daemon's namespace. False: no such link, or not a bridge. */
bool netns_is_bridge(const char *name);
bool netns_remove_bridge(const char *name, GError **error);
