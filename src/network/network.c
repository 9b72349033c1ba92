/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"
#include "base/scope.h"
#include "format/gotype.h"
#include "network/users.h"
#include "network/conflist.h"
#include "network/netns.h"
#include "network/network_internal.h"
#include "network/subnet.h"
#include "os/file.h"
#include "os/user_namespace.h"
#include <fcntl.h>
#include <net/if.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define IDLE_US (5 * 60 * G_USEC_PER_SEC)
#define BOOT_ID "/proc/sys/kernel/random/boot_id"

/* ---- mode bridge */

/*
 * The record names a bridge that this daemon created, so that a killed one does not leave it. After a reboot, a bridge
 * of that name is another one.
 */
static char *bridge_text(const char *name)
{
	g_autofree char *boot = NULL;
	g_file_get_contents(BOOT_ID, &boot, NULL, NULL);
	return g_strdup_printf("%s\n%s", name, boot ? boot : "");
}

static bool record_bridge(const network_provider *n, const char *name, GError **error)
{
	g_autofree char *text = bridge_text(name);
	scoped_fd fd = open(n->bridge_record, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	return (fd >= 0 && file_write_all(fd, text, strlen(text))) ||
	       error_set_errno(error, errno, "write %s", n->bridge_record);
}

/* Returns the name of the bridge that an earlier daemon has left, or NULL. */
static char *leftover_bridge(const network_provider *n)
{
	g_autofree char *text = NULL;
	if (!g_file_get_contents(n->bridge_record, &text, NULL, NULL))
		return NULL;
	g_autofree char *name = g_strndup(text, strcspn(text, "\n"));
	g_autofree char *expected = bridge_text(name);
	return g_str_equal(text, expected) && netns_is_bridge(name) ? g_steal_pointer(&name) : NULL;
}

/* Another daemon that uses the bridge removes it when it ends. */
static void remove_bridge(const network_provider *n, const char *name)
{
	g_autoptr(GError) error = NULL;
	if (netns_is_bridge(name) && !network_bridge_is_used(name) && !netns_remove_bridge(name, &error))
		log_warn("failed to remove bridge \"%s\": %s", name, error->message);
	unlink(n->bridge_record);
}

/*
 * Takes over a leftover bridge of the same name, removes another one, and records one that will be created or that another
 * daemon has created.
 */
static bool claim_bridge(network_provider *n, const char *name, GError **error)
{
	g_autofree char *left = leftover_bridge(n);
	if (left && g_strcmp0(left, name) != 0)
		remove_bridge(n, left);
	if (!name)
		return true;
	n->users = network_users_join(name, error);
	if (!n->users)
		return false;
	if (netns_is_bridge(name) && g_strcmp0(left, name) != 0 && !network_users_have_owner(n->users))
		return true;
	n->created_bridge = g_strdup(name);
	return network_users_own(n->users, error) && record_bridge(n, name, error);
}

static bool check_bridge_name(const char *name, GError **error)
{
	/* The kernel replaces %d by a number. */
	bool valid = *name != '\0' && strlen(name) < IFNAMSIZ && !strpbrk(name, "/:% \t\n\v\f\r") &&
		     !g_str_equal(name, ".") && !g_str_equal(name, "..");
	if (!valid)
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid bridgeName \"%s\"", name);
	if (if_nametoindex(name) != 0 && !netns_is_bridge(name))
		return error_set(error, ERROR_ALREADY_EXISTS, "\"%s\" already exists but is not a bridge", name);
	return true;
}

/* BuildKit's images have plugins of these names in PATH. */
static char **find_own_plugins(void)
{
	static const char *const names[] = {"buildkit-cni-bridge", "buildkit-cni-host-local", "buildkit-cni-firewall"};
	g_autoptr(GPtrArray) dirs = g_ptr_array_new_with_free_func(g_free);
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autofree char *path = g_find_program_in_path(names[i]);
		if (!path)
			return NULL;
		char *dir = g_path_get_dirname(path);
		if (g_ptr_array_find_with_equal_func(dirs, dir, g_str_equal, NULL))
			g_free(dir);
		else
			g_ptr_array_add(dirs, dir);
	}
	g_ptr_array_add(dirs, NULL);
	return (char **)g_ptr_array_steal(dirs, NULL);
}

static void warn_overlap(const struct network_options *o)
{
	g_autofree char *other = network_overlap(o->bridge_subnet, o->bridge_name);
	if (other)
		log_warn("bridgeSubnet %s overlaps with the network %s: addresses of either may be unreachable",
			 o->bridge_subnet, other);
}

static bool use_bridge(network_provider *n, const struct network_options *o, GError **error)
{
	n->site.plugin_dirs = find_own_plugins();
	bool own = n->site.plugin_dirs != NULL;
	struct conflist_bridge bridge = {
		.bridge = o->bridge_name,
		.subnet = o->bridge_subnet,
		.bridge_plugin = own ? "buildkit-cni-bridge" : "bridge",
		.host_local_plugin = own ? "buildkit-cni-host-local" : "host-local",
		.firewall_plugin = own ? "buildkit-cni-firewall" : "firewall",
		/* firewalld cannot be used in a user namespace. */
		.firewall_backend = g_getenv("ROOTLESSKIT_STATE_DIR") ? "iptables" : "",
	};
	/* An ordinary user has no other directory for the addresses. */
	g_autofree char *addresses = o->rootless ? g_build_filename(o->root_path, "net", "addresses", NULL) : NULL;
	bridge.data_dir = addresses;
	g_autofree char *program = own ? NULL : g_build_filename(o->plugin_dir, "bridge", NULL);
	if (o->rootless && !user_namespace_owns_network())
		return error_set(
			error, ERROR_FAILED_PRECONDITION,
			"network mode bridge: a daemon in a user namespace cannot create a bridge in the network of "
			"the host: start it with rootlesskit --net=slirp4netns");
	if (!own && access(program, X_OK) != 0)
		return error_set_errno(error, errno, "failed to find CNI bridge \"%s\" or buildkit-cni-bridge",
				       program);
	if (!own)
		n->site.plugin_dirs = g_strdupv((char *[]){(char *)(gsize)o->plugin_dir, NULL});
	if (!check_bridge_name(o->bridge_name, error))
		return false;
	warn_overlap(o);
	n->site.list = conflist_bridge(&bridge);
	return n->site.list || error_set(error, ERROR_INVALID_ARGUMENT, "bridgeSubnet is not UTF-8");
}

/* ---- mode cni */

static bool use_cni(network_provider *n, const struct network_options *o, GError **error)
{
	n->site.list = conflist_load(o->config_path, error);
	if (!n->site.list)
		return false;
	if (access(o->plugin_dir, F_OK) != 0)
		return error_set_errno(error, errno, "failed to read cni binary dir \"%s\"", o->plugin_dir);
	n->site.plugin_dirs = g_strdupv((char *[]){(char *)(gsize)o->plugin_dir, NULL});
	return true;
}

/* ---- opening */

enum mode { MODE_HOST, MODE_CNI, MODE_BRIDGE };

static enum mode automatic_mode(const struct network_options *o)
{
	const char *text = g_getenv("BUILDKIT_NETWORK_BRIDGE_AUTO");
	bool bridge = false;
	if (!o->rootless && text && bool_parse(text, &bridge, NULL) && bridge)
		return MODE_BRIDGE;
	if (!o->rootless && o->config_path && access(o->config_path, F_OK) == 0)
		return MODE_CNI;
	log_warn("using host network as the default");
	return MODE_HOST;
}

static bool parse_mode(const struct network_options *o, enum mode *ret_mode, GError **error)
{
	static const char *const names[] = {"host", "cni", "bridge"};
	if (!o->mode || *o->mode == '\0' || g_str_equal(o->mode, "auto")) {
		*ret_mode = automatic_mode(o);
		return true;
	}
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		if (g_str_equal(o->mode, names[i])) {
			*ret_mode = (enum mode)i;
			return true;
		}
	return error_set(error, ERROR_INVALID_ARGUMENT, "invalid network mode: \"%s\"", o->mode);
}

/* Daemons that share a bridge or address files are started one at a time. */
static int lock_start(GError **error)
{
	const char *path = g_getenv("BUILDKIT_CNI_INIT_LOCK_PATH");
	if (!path || *path == '\0')
		return 0;
	scoped_fd fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	int r = -1;
	while (fd >= 0 && (r = flock(fd, LOCK_EX)) != 0 && errno == EINTR)
		continue;
	if (r == 0)
		return fd_steal(&fd);
	error_set_errno(error, errno, "lock %s", path);
	return -1;
}

/* Attaches a first namespace: the configuration may not work, and plugins create what steps share, such as the bridge. */
static bool start(network_provider *n, const struct network_options *o, enum mode mode, GError **error)
{
	int lock = lock_start(error);
	scoped_fd held = lock > 0 ? lock : -1;
	if (lock < 0 || !claim_bridge(n, mode == MODE_BRIDGE ? o->bridge_name : NULL, error))
		return false;
	if (mode == MODE_HOST)
		return true;
	network_namespace *ns = network_take(n, NULL, NULL, error);
	if (!ns)
		return false;
	network_release(ns, true);
	return network_pool_start(n, error);
}

static bool make_directories(const network_provider *n, GError **error)
{
	return g_mkdir_with_parents(n->dir, 0700) == 0 || error_set_errno(error, errno, "mkdir %s", n->dir);
}

static network_provider *network_alloc(const struct network_options *o)
{
	network_provider *n = g_new0(network_provider, 1);
	g_mutex_init(&n->mu);
	g_cond_init(&n->cond);
	n->closing = cancel_new(NULL);
	n->dir = g_build_filename(o->root_path, "net", "cni", NULL);
	n->isolated_dir = g_build_filename(o->root_path, "net", "proxy", NULL);
	n->bridge_record = g_build_filename(o->root_path, "net", "bridge", NULL);
	n->pool_size = MAX(0, o->pool_size);
	n->idle_us = o->idle_ms > 0 ? o->idle_ms * 1000 : IDLE_US;
	n->site.dir = n->dir;
	n->site.timeout_ms = o->plugin_timeout_ms;
	return n;
}

network_provider *network_open(const struct network_options *options, GError **error)
{
	enum mode mode = MODE_HOST;
	g_autoptr(network_provider) n = network_alloc(options);
	if (!parse_mode(options, &mode, error))
		return NULL;
	n->host = mode == MODE_HOST;
	attachments_remove_leftovers(n->dir, options->plugin_timeout_ms);
	if (!network_prepare_isolated(n, error) || (mode == MODE_CNI && !use_cni(n, options, error)) ||
	    (mode == MODE_BRIDGE && !use_bridge(n, options, error)) ||
	    (mode != MODE_HOST && !make_directories(n, error)) || !start(n, options, mode, error))
		return NULL;
	return g_steal_pointer(&n);
}

void network_close(network_provider *n)
{
	if (!n)
		return;
	network_pool_stop(n);
	network_users_leave(n->users);
	if (n->created_bridge)
		remove_bridge(n, n->created_bridge);
	cancel_unref(n->closing);
	g_cond_clear(&n->cond);
	g_mutex_clear(&n->mu);
	json_decref(n->site.list);
	g_strfreev(n->site.plugin_dirs);
	g_free(n->created_bridge);
	g_free(n->bridge_record);
	g_free(n->isolated_dir);
	g_free(n->dir);
	g_free(n);
}

bool network_is_host(const network_provider *n)
{
	return n->host;
}

const char *network_mode(const network_provider *n)
{
	return n->host ? "host" : "cni";
}
