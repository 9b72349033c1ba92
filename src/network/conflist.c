/* SPDX-License-Identifier: Apache-2.0 */
#include "network/conflist.h"
#include "base/limits.h"
#include "base/scope.h"
#include "os/path.h"

#define MAX_PLUGINS 64

/* ---- checks */

/* The rule of the specification for names of networks. */
static bool is_network_name(const char *name)
{
	if (!g_ascii_isalnum(*name))
		return false;
	for (const char *c = name; *c != '\0'; c++)
		if (!g_ascii_isalnum(*c) && !strchr("_.-", *c))
			return false;
	return true;
}

/* A type is the name of a program in a plugin directory, never a path. */
static bool check_type(const json_t *plugin, GError **error)
{
	const char *type = json_string_value(json_object_get(plugin, "type"));
	if (!type || *type == '\0')
		return error_set(error, ERROR_INVALID_ARGUMENT, "error parsing configuration: missing 'type'");
	if (strchr(type, '/') || g_str_equal(type, ".") || g_str_equal(type, ".."))
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid plugin name: %s", type);
	return true;
}

bool conflist_check(const json_t *list, GError **error)
{
	const json_t *version = json_object_get(list, "cniVersion");
	const json_t *plugins = json_object_get(list, "plugins");
	const char *name = json_string_value(json_object_get(list, "name"));
	size_t i;
	const json_t *plugin;
	if (!name)
		return error_set(error, ERROR_INVALID_ARGUMENT, "error parsing configuration list: no name");
	if (!is_network_name(name))
		return error_set(error, ERROR_INVALID_ARGUMENT,
				 "error parsing configuration list: invalid network name \"%s\"", name);
	if (version && !json_is_string(version))
		return error_set(error, ERROR_INVALID_ARGUMENT,
				 "error parsing configuration list: cniVersion is not a string");
	if (!json_is_array(plugins) || json_array_size(plugins) == 0)
		return error_set(error, ERROR_INVALID_ARGUMENT, "error parsing configuration list: no plugins in list");
	if (json_array_size(plugins) > MAX_PLUGINS)
		return error_set(error, ERROR_INVALID_ARGUMENT,
				 "error parsing configuration list: more than %d plugins", MAX_PLUGINS);
	json_array_foreach((json_t *)(gsize)plugins, i, plugin) /* the macro only reads */
		if (!check_type(plugin, error)) return error_prefix(error, "failed to parse plugin config %zu: ", i);
	return true;
}

/* ---- reading */

/* The members "name" and "cniVersion" of a single configuration are those of its list. */
static json_t *list_of_one(json_t *plugin, GError **error)
{
	json_t *name = json_object_get(plugin, "name"), *version = json_object_get(plugin, "cniVersion");
	if (!check_type(plugin, error))
		return NULL;
	json_t *list = json_pack("{s:O?, s:[O]}", "name", name, "plugins", plugin);
	if (version)
		json_object_set(list, "cniVersion", version);
	return list;
}

json_t *conflist_parse(const void *bytes, size_t n, bool is_list, GError **error)
{
	g_autoptr(json_t) read = json_read(bytes, n, LIMIT_CNI_CONFIG_BYTES, "CNI configuration", error);
	if (!read)
		return NULL;
	if (!json_is_object(read))
		return error_null(error, ERROR_INVALID_ARGUMENT, "CNI configuration: not a JSON object");
	g_autoptr(json_t) list = is_list ? json_incref(read) : list_of_one(read, error);
	return list && conflist_check(list, error) ? g_steal_pointer(&list) : NULL;
}

json_t *conflist_load(const char *path, GError **error)
{
	g_autofree char *absolute = g_canonicalize_filename(path, NULL);
	scoped_fd root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	g_autoptr(GBytes) bytes = path_read(root, absolute, LIMIT_CNI_CONFIG_BYTES, PATH_IN_ROOT, error);
	if (!bytes)
		return error_prefix_null(error, "failed to read cni config \"%s\": ", path);
	json_t *list = conflist_parse(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes),
				      g_str_has_suffix(path, ".conflist"), error);
	return list ? list : error_prefix_null(error, "failed to read cni config \"%s\": ", path);
}

json_t *conflist_bridge(const struct conflist_bridge *o)
{
	return json_pack("{s:s, s:s, s:[{s:s, s:s, s:b, s:b, s:{s:s, s:s*, s:[[{s:s}]]}}, {s:s, s:s, s:s}]}",
			 "cniVersion", "1.0.0", "name", "buildkit", "plugins", "type", o->bridge_plugin, "bridge",
			 o->bridge, "isDefaultGateway", 1, "ipMasq", 1, "ipam", "type", o->host_local_plugin, "dataDir",
			 o->data_dir, "ranges", "subnet", o->subnet, "type", o->firewall_plugin, "backend",
			 o->firewall_backend, "ingressPolicy", "same-bridge");
}

/* ---- use */

const char *conflist_name(const json_t *list)
{
	return json_string_value(json_object_get(list, "name"));
}

size_t conflist_size(const json_t *list)
{
	return json_array_size(json_object_get(list, "plugins"));
}

const char *conflist_type(const json_t *list, size_t i)
{
	return json_string_value(json_object_get(json_array_get(json_object_get(list, "plugins"), i), "type"));
}

json_t *conflist_plugin_input(const json_t *list, size_t i, json_t *prev)
{
	json_t *input = json_copy(json_array_get(json_object_get(list, "plugins"), i));
	json_t *version = json_object_get(list, "cniVersion");
	json_object_set(input, "name", json_object_get(list, "name"));
	if (version)
		json_object_set(input, "cniVersion", version);
	if (prev)
		json_object_set(input, "prevResult", prev);
	return input;
}

GPtrArray *conflist_addresses(const json_t *result)
{
	static const char *const old[][2] = {{"ip4", "ip"}, {"ip6", "ip"}}; /* versions before 0.3.0 */
	GPtrArray *addresses = g_ptr_array_new_with_free_func(g_free);
	const json_t *ips = json_object_get(result, "ips");
	for (size_t i = 0; i < json_array_size(ips); i++) {
		const char *address = json_string_value(json_object_get(json_array_get(ips, i), "address"));
		if (address)
			g_ptr_array_add(addresses, g_strdup(address));
	}
	for (size_t i = 0; i < G_N_ELEMENTS(old); i++) {
		const char *address = json_string_value(json_object_get(json_object_get(result, old[i][0]), old[i][1]));
		if (address)
			g_ptr_array_add(addresses, g_strdup(address));
	}
	return addresses;
}
