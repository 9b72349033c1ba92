/* SPDX-License-Identifier: Apache-2.0 */
/*
 * network: network namespaces for steps, by the worker's network mode.
 *
 *	network_provider *n = network_open(&options, error);
 *	if (network_is_host(n)) ...                             steps use the daemon's namespace
 *	network_namespace *ns = network_take(n, hostname, cancel, error);
 *	network_namespace_fd(ns), network_namespace_path(ns)
 *	network_release(ns, true);                              another step may get it
 *	network_close(n);
 *
 * Modes: "host"; "cni": CNI plugins attach namespaces to the network of a configuration file; "bridge": the same with a
 * configuration of the daemon; "auto" or "": cni if the file exists, else host. BUILDKIT_NETWORK_BRIDGE_AUTO=true makes
 * it bridge.
 *
 * A namespace without any network, for a step that may only talk to a socket of the daemon in it:
 *
 *	network_namespace *ns = network_take_isolated(n, error);
 *	int fd = network_listen(ns, &address, error);
 *
 * Namespaces are kept in a pool, because plugins take longer than most steps. pool_size of them exist in advance; more
 * that are unused for five minutes are removed. Creation in advance and removal run on a thread, "network".
 * Isolated ones are not, because creating one is cheap. Everything is below <root>/net; network_open removes what a killed daemon has left there. Thread: any.
 */
#pragma once
#include "base/cancel.h"

typedef struct network_provider network_provider;
typedef struct network_namespace network_namespace;

struct network_options {         /* borrowed */
	const char *root_path;   /* absolute; <root>/net is created */
	const char *mode;        /* NULL: "auto" */
	bool rootless;           /* "auto" is host */
	const char *config_path; /* of a *.conflist, or of a single plugin's configuration */
	const char *plugin_dir;
	const char *bridge_name, *bridge_subnet;
	int64_t pool_size;
	int64_t plugin_timeout_ms; /* 0: LIMIT_CNI_PLUGIN_MS */
	int64_t idle_ms;           /* of namespaces beyond pool_size; 0: five minutes */
};
/*
 * Attaches a first namespace, so that a configuration that does not work is an error here. Errors: INVALID_ARGUMENT unknown
 * mode, wrong configuration; NOT_FOUND missing files; UNKNOWN "CNI setup error: ...".
 */
network_provider *network_open(const struct network_options *options, GError **error);
/* All namespaces have been released. NULL is allowed. */
void network_close(network_provider *n);
bool network_is_host(const network_provider *n);
const char *network_mode(const network_provider *n); /* "host" or "cni" */

/* hostname: for plugins that register names; such a namespace is not from the pool. NULL or "": none. */
network_namespace *network_take(network_provider *n, const char *hostname, cancel *c, GError **error);
/* A new namespace that has lo only. Any mode. */
network_namespace *network_take_isolated(network_provider *n, GError **error);
/*
 * Returns a listening TCP socket in an isolated namespace, non-blocking. ret_address: "10.89.0.1:PORT", owned. No other
 * namespace can reach it, so that all have the same address.
 */
int network_listen(network_namespace *ns, char **ret_address, GError **error);
/* reusable: no process that was in it could change it. No effect on an isolated one, which is removed. */
void network_release(network_namespace *ns, bool reusable);
int network_namespace_fd(const network_namespace *ns);           /* borrowed */
const char *network_namespace_path(const network_namespace *ns); /* borrowed; in the daemon's mount namespace */

struct network_stats {
	size_t existing, available; /* of the pool */
};
struct network_stats network_get_stats(network_provider *n);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(network_provider, network_close)
