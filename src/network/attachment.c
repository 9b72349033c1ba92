/* SPDX-License-Identifier: Apache-2.0 */
#include "network/attachment.h"
#include "base/ident.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/scope.h"
#include "base/thread.h"
#include "network/conflist.h"
#include "network/netns.h"
#include "network/plugin.h"
#include "os/dirlist.h"
#include "os/file.h"
#include "os/path.h"
#include "os/tree.h"

#define IFNAME "eth0"
#define RECORD "network.json"
#define RECORD_BYTES (LIMIT_CNI_CONFIG_BYTES + LIMIT_CNI_OUTPUT_BYTES + KIB(64))
#define REMOVED_AT_ONCE 8

struct attachment {
	char *id, *dir, *path; /* <dir>/<id>, <dir>/<id>/ns */
	int fd;                /* owned; -1: not created yet */
	char *hostname;        /* NULL: none */
	char **plugin_dirs;
	json_t *list, *result; /* result: of ADD; NULL: not known */
	int64_t timeout_ms;
	gint64 end_us; /* of all calls of plugins; 0: no limit */
};

static void attachment_free(attachment *a)
{
	fd_close(&a->fd);
	g_free(a->id);
	g_free(a->dir);
	g_free(a->path);
	g_free(a->hostname);
	g_strfreev(a->plugin_dirs);
	json_decref(a->list);
	json_decref(a->result);
	g_free(a);
}

static attachment *attachment_alloc(const char *dir, const char *id)
{
	attachment *a = g_new0(attachment, 1);
	a->fd = -1;
	a->id = g_strdup(id);
	a->dir = g_build_filename(dir, id, NULL);
	a->path = g_build_filename(a->dir, "ns", NULL);
	return a;
}

/* ---- the record */

static json_t *record_json(const attachment *a)
{
	json_t *dirs = json_array();
	for (size_t i = 0; a->plugin_dirs[i]; i++)
		json_array_append_new(dirs, json_string(a->plugin_dirs[i]));
	return json_pack("{s:o, s:O, s:s*, s:O*}", "pluginDirs", dirs, "list", a->list, "hostname", a->hostname,
			 "result", a->result);
}

static bool record_write(const attachment *a, GError **error)
{
	g_autofree char *path = g_build_filename(a->dir, RECORD, NULL);
	g_autofree char *new_path = g_strconcat(path, ".new", NULL);
	g_autoptr(json_t) record = record_json(a);
	g_autofree char *text = record ? json_dumps(record, JSON_COMPACT) : NULL;
	if (!text)
		return error_set(error, ERROR_INVALID_ARGUMENT, "host name is not UTF-8");
	scoped_fd fd = open(new_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || !file_write_all(fd, text, strlen(text)) || rename(new_path, path) != 0)
		return error_set_errno(error, errno, "write %s", path);
	return true;
}

static char **strings_of(const json_t *array)
{
	GPtrArray *list = g_ptr_array_new();
	size_t i;
	json_t *one;
	json_array_foreach((json_t *)(gsize)array, i, one) if (json_is_string(one))
		g_ptr_array_add(list, g_strdup(json_string_value(one)));
	g_ptr_array_add(list, NULL);
	return (char **)g_ptr_array_free(list, FALSE);
}

static bool record_read(attachment *a, int parent_fd, GError **error)
{
	g_autofree char *name = g_build_filename(a->id, RECORD, NULL);
	g_autoptr(GBytes) bytes = path_read(parent_fd, name, RECORD_BYTES, PATH_BENEATH, error);
	if (!bytes)
		return false;
	g_autoptr(json_t) record =
		json_read(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), RECORD_BYTES, name, error);
	json_t *list = json_object_get(record, "list");
	if (!record || !conflist_check(list, error))
		return false;
	a->list = json_incref(list);
	a->result = json_incref(json_object_get(record, "result"));
	a->hostname = g_strdup(json_string_value(json_object_get(record, "hostname")));
	a->plugin_dirs = strings_of(json_object_get(record, "pluginDirs"));
	return true;
}

/* ---- plugins */

/* The specification separates arguments by ";". */
static bool check_hostname(const char *hostname, GError **error)
{
	return !hostname || !strpbrk(hostname, ";=\n") ||
	       error_set(error, ERROR_INVALID_ARGUMENT, "host name \"%s\" contains a character not allowed in CNI_ARGS",
			 hostname);
}

/* Returns the time for the next call, or 0. */
static int64_t time_left_ms(const attachment *a)
{
	int64_t timeout_ms = a->timeout_ms > 0 ? a->timeout_ms : LIMIT_CNI_PLUGIN_MS;
	gint64 left_us = a->end_us - g_get_monotonic_time();
	return a->end_us == 0 ? timeout_ms : CLAMP(left_us / 1000, 0, timeout_ms);
}

static json_t *call_plugin(const attachment *a, const char *command, size_t i, json_t *prev, cancel *c, GError **error)
{
	g_autofree char *args = a->hostname ? g_strdup_printf("K8S_POD_NAME=%s;IgnoreUnknown=1", a->hostname) : NULL;
	const struct plugin_call call = {
		.command = command,
		.dirs = (const char *const *)a->plugin_dirs,
		.container_id = a->id,
		.netns = a->path,
		.ifname = IFNAME,
		.args = args,
		.timeout_ms = time_left_ms(a),
	};
	if (call.timeout_ms == 0)
		return error_null(error, ERROR_DEADLINE_EXCEEDED, "plugin type=\"%s\" was not called: no time is left",
				  conflist_type(a->list, i));
	g_autoptr(json_t) input = conflist_plugin_input(a->list, i, prev);
	return plugin_run(&call, conflist_type(a->list, i), input, c, error);
}

static bool add(attachment *a, cancel *c, GError **error)
{
	g_autoptr(json_t) prev = NULL;
	for (size_t i = 0; i < conflist_size(a->list); i++) {
		json_t *result = call_plugin(a, "ADD", i, prev, c, error);
		if (!result)
			return false;
		json_decref(prev);
		prev = result;
	}
	a->result = g_steal_pointer(&prev);
	return record_write(a, error);
}

/* Plugins of version 0.3.1 and older do not take results in DEL. */
static bool takes_result(const json_t *list)
{
	const char *version = json_string_value(json_object_get(list, "cniVersion"));
	return version && !g_str_has_prefix(version, "0.1.") && !g_str_has_prefix(version, "0.2.") &&
	       !g_str_has_prefix(version, "0.3.");
}

static bool del(const attachment *a, GError **error)
{
	bool ok = true;
	json_t *prev = takes_result(a->list) ? a->result : NULL;
	for (size_t i = conflist_size(a->list); i-- > 0;) {
		json_t *done = call_plugin(a, "DEL", i, prev, NULL, ok ? error : NULL);
		ok &= done != NULL;
		json_decref(done);
	}
	return ok;
}

/* ---- creation and removal */

static bool remove_directory(const attachment *a, GError **error)
{
	g_autofree char *parent = g_path_get_dirname(a->dir);
	scoped_fd fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_set_errno(error, errno, "open %s", parent);
	return tree_remove_at(fd, a->id, error);
}

static bool set_up(attachment *a, cancel *c, GError **error)
{
	a->fd = netns_create(a->path, error);
	return a->fd >= 0 && record_write(a, error) && add(a, c, error);
}

/* Removes what a failed set_up has left; plugins accept DEL after a failed ADD. */
static void take_down(attachment *a)
{
	g_autofree char *record = g_build_filename(a->dir, RECORD, NULL);
	if (access(record, F_OK) == 0)
		del(a, NULL);
	netns_remove(a->path, NULL);
	remove_directory(a, NULL);
}

attachment *attachment_new(const struct attachment_site *site, const char *hostname, cancel *c, GError **error)
{
	char id[IDENT_SIZE];
	if (!check_hostname(hostname, error))
		return NULL;
	ident_new(id);
	attachment *a = attachment_alloc(site->dir, id);
	a->list = json_deep_copy(site->list); /* threads must not count references of one value */
	a->plugin_dirs = g_strdupv(site->plugin_dirs);
	a->hostname = g_strdup(hostname);
	a->timeout_ms = site->timeout_ms;
	if (mkdir(a->dir, 0700) != 0) {
		error_set_errno(error, errno, "mkdir %s", a->dir);
		attachment_free(a);
		return NULL;
	}
	if (set_up(a, c, error))
		return a;
	take_down(a);
	attachment_free(a);
	return NULL;
}

int attachment_fd(const attachment *a)
{
	return a->fd;
}

const char *attachment_path(const attachment *a)
{
	return a->path;
}

/* ---- leftovers */

/* Returns the addresses that host-local leased to an attachment whose ADD did not return: its files contain the id. */
static void add_leases(const attachment *a, const json_t *ipam, GPtrArray *addresses)
{
	const char *type = json_string_value(json_object_get(ipam, "type"));
	const char *data = json_string_value(json_object_get(ipam, "dataDir"));
	struct dirlist files;
	if (!type || !g_str_has_suffix(type, "host-local"))
		return;
	g_autofree char *path = g_build_filename(data ? data : "/var/lib/cni/networks", conflist_name(a->list), NULL);
	scoped_fd fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || !dirlist_read(&files, fd, NULL))
		return;
	for (size_t i = 0; i < files.n; i++) {
		const char *name = dirlist_name(&files, i);
		g_autoptr(GBytes) text = path_read(fd, name, KIB(4), PATH_BENEATH, NULL);
		gsize n = 0, n_id = strlen(a->id);
		const char *bytes = text ? g_bytes_get_data(text, &n) : NULL;
		if (n >= n_id && memcmp(bytes, a->id, n_id) == 0)
			g_ptr_array_add(addresses, g_strconcat(name, strchr(name, ':') ? "/128" : "/32", NULL));
	}
	dirlist_clear(&files);
}

/* The result of an ADD that did not return, from what its plugins stored. */
static void guess_result(attachment *a)
{
	g_autoptr(GPtrArray) addresses = g_ptr_array_new_with_free_func(g_free);
	const json_t *plugins = json_object_get(a->list, "plugins");
	for (size_t i = 0; i < json_array_size(plugins); i++)
		add_leases(a, json_object_get(json_array_get(plugins, i), "ipam"), addresses);
	if (addresses->len == 0)
		return;
	json_t *ips = json_array();
	for (guint i = 0; i < addresses->len; i++) {
		const char *address = g_ptr_array_index(addresses, i);
		json_array_append_new(
			ips, json_pack("{s:s, s:s}", "address", address, "version", strchr(address, ':') ? "6" : "4"));
	}
	a->result = json_pack("{s:O*, s:[], s:o}", "cniVersion", json_object_get(a->list, "cniVersion"), "interfaces",
			      "ips", ips);
}

static bool restore_namespace(attachment *a, GError **error)
{
	g_autoptr(GError) none = NULL;
	a->fd = netns_open(a->path, &none);
	if (a->fd >= 0)
		return true;
	if (!a->result)
		guess_result(a);
	g_autoptr(GPtrArray) addresses = conflist_addresses(a->result);
	a->fd = netns_create(a->path, error);
	return a->fd >= 0 && (addresses->len == 0 || netns_add_interface(a->fd, IFNAME, addresses, error));
}

/* A new namespace, with the interface and its addresses, or without an interface. */
static bool replace_namespace(attachment *a, bool attached, GError **error)
{
	fd_close(&a->fd);
	if (!netns_remove(a->path, error))
		return false;
	if (attached)
		return restore_namespace(a, error);
	a->fd = netns_create(a->path, error);
	return a->fd >= 0;
}

/*
 * The bridge plugin fails for addresses whose rules do not exist any more, after an interrupted DEL for example. Without an
 * interface it only frees the addresses.
 */
static bool del_insistently(attachment *a, GError **error)
{
	g_autoptr(GError) first = NULL;
	if (del(a, &first))
		return true;
	bool again = !error_is(first, ERROR_DEADLINE_EXCEEDED);
	if (again &&
	    ((replace_namespace(a, true, NULL) && del(a, NULL)) || (replace_namespace(a, false, NULL) && del(a, NULL))))
		return true;
	return error_propagate(error, g_steal_pointer(&first));
}

bool attachment_remove(attachment *a, bool changed, GError **error)
{
	bool deleted = (!changed || replace_namespace(a, true, error)) && del_insistently(a, error);
	bool unmounted = netns_remove(a->path, deleted ? error : NULL);
	bool ok = deleted && unmounted && remove_directory(a, error);
	attachment_free(a);
	return ok;
}

static bool leftover_remove(attachment *a, int parent_fd, GError **error)
{
	g_autofree char *record = g_build_filename(a->dir, RECORD, NULL);
	bool recorded = access(record, F_OK) == 0; /* otherwise no plugin has been called */
	bool ok = !recorded ||
		  (record_read(a, parent_fd, error) && restore_namespace(a, error) && del_insistently(a, error));
	/* Tried once more only: plugins may have been uninstalled. */
	ok &= netns_remove(a->path, ok ? error : NULL);
	return remove_directory(a, ok ? error : NULL) && ok;
}

struct leftovers {
	const char *dir;
	int fd;
	struct dirlist names;
	int64_t timeout_ms;
	gint64 end_us; /* plugins that hang must not keep the daemon from its start */
};

static void remove_one(void *data, size_t i)
{
	const struct leftovers *l = data;
	g_autoptr(GError) error = NULL;
	if (g_get_monotonic_time() >= l->end_us) {
		log_warn("network namespace \"%s\" left over from previous run is kept: plugins take too long",
			 dirlist_name(&l->names, i));
		return;
	}
	attachment *a = attachment_alloc(l->dir, dirlist_name(&l->names, i));
	a->timeout_ms = l->timeout_ms;
	a->end_us = l->end_us;
	if (!leftover_remove(a, l->fd, &error))
		log_warn("failed to release network namespace \"%s\" left over from previous run: %s", a->id,
			 error->message);
	attachment_free(a);
}

void attachments_remove_leftovers(const char *dir, int64_t timeout_ms)
{
	struct leftovers l = {.dir = dir, .timeout_ms = timeout_ms};
	l.end_us = g_get_monotonic_time() + (timeout_ms > 0 ? timeout_ms : LIMIT_CNI_PLUGIN_MS) * 1000;
	l.fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (l.fd < 0)
		return;
	if (dirlist_read(&l.names, l.fd, NULL)) {
		thread_each(l.names.n, REMOVED_AT_ONCE, remove_one, &l);
		dirlist_clear(&l.names);
	}
	fd_close(&l.fd);
}
