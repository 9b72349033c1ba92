/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conflist: CNI network configurations (CNI specification 1.0, section 1) as lists of plugins.
 *
 *	g_autoptr(json_t) list = conflist_load("/etc/buildkit/cni.json", error);
 *	g_autoptr(json_t) input = conflist_plugin_input(list, 0, NULL);       what the first plugin reads from stdin
 *
 * A list is a JSON object with "name", "cniVersion" (optional) and "plugins", which is not empty; every plugin has a
 * valid "type". Thread: any.
 */
#pragma once
#include "base/error.h"
#include "format/json_writer.h"

/* Reads a list from a file named *.conflist, or a single plugin's configuration from any other file. */
json_t *conflist_load(const char *path, GError **error);
/* The same from text. is_list: a list, not a single configuration. Errors: INVALID_ARGUMENT. */
json_t *conflist_parse(const void *bytes, size_t n, bool is_list, GError **error);
/* Checks the members of a list. Errors: INVALID_ARGUMENT. */
bool conflist_check(const json_t *list, GError **error);

struct conflist_bridge {
	const char *bridge, *subnet;
	const char *bridge_plugin, *host_local_plugin, *firewall_plugin; /* names of programs */
	const char *firewall_backend;                                    /* "": firewalld or iptables */
	const char *data_dir; /* of host-local; NULL: /var/lib/cni/networks */
};
/* The network of mode "bridge". */
json_t *conflist_bridge(const struct conflist_bridge *o);

const char *conflist_name(const json_t *list);
size_t conflist_size(const json_t *list);
const char *conflist_type(const json_t *list, size_t i);
/* prev: the result of the plugin before it; for DEL that of the whole list; may be NULL. */
json_t *conflist_plugin_input(const json_t *list, size_t i, json_t *prev);
/* Returns the addresses ("10.0.0.2/16") in a result of any CNI version. */
GPtrArray *conflist_addresses(const json_t *result);
