/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config: configuration of buildkitd: built-in defaults, overridden by buildkitd.toml, overridden by flags.
 *
 *	struct config config;
 *	if (!config_load(&config, argc, argv, &done, error)) ...      done: --help or --version was answered
 *
 * One table (options.c) holds flag, TOML key, type, default and help of every option. Plain data, owned until
 * config_clear. Thread: immutable after load.
 */
#pragma once
#include "base/error.h"
#include "registry/registry.h"
#include "worker/worker.h"

enum tristate { TRISTATE_AUTO = -1, TRISTATE_FALSE = 0, TRISTATE_TRUE = 1 };

struct worker_config {
	int enabled;                   /* enum tristate */
	char *gc_keep_storage;         /* flag: Reserved[,Free[,Maximum]] in MB */
	struct worker_options options; /* its texts, lists and tables are owned by the configuration */
};
struct config {
	char *path; /* path of the configuration file */
	char *root;
	bool debug, trace;
	bool check;      /* only check what the machine lacks; set also when the configuration is not valid */
	bool rootless;   /* the flag; the workers have the result */
	bool user_paths; /* the default paths are those of an ordinary user */
	char *log_format, *log_level;
	char **addresses;
	char *group, *debug_address, *provenance_env_dir;
	char *otel_socket; /* "": a file of the state directory */
	char *tls_cert, *tls_key, *tls_ca;
	int64_t socket_uid, socket_gid; /* -1: the daemon's user or group */
	char **entitlements;
	char **dns_nameservers, **dns_options, **dns_search;
	char **allowed_repositories, **dockerfile_images;
	int64_t history_max_age_ns, history_max_entries;
	int64_t registry_concurrency, platforms_max_age_ns;
	bool cdi_disabled;
	bool proxy_network; /* for the steps of all builds */
	char **cdi_dirs, **cdi_auto_allowed;
	int64_t drain_timeout_ns; /* for running builds after SIGTERM; 0: they are cancelled at once */
	bool dockerfile_enabled, gateway_enabled, explain_misses;
	struct worker_config oci, containerd;
	struct registry_host *hosts;
	size_t n_hosts;
	GPtrArray *warnings; /* element type: char *; probable mistakes in the configuration */
	GPtrArray *inactive; /* element type: char *; options that were given but have no effect yet */
};
#define CONFIG_NEEDS_USER_NAMESPACE                                                                                    \
	"rootless mode requires to be executed as the mapped root in a user namespace; you may use RootlessKit for "   \
	"setting up the namespace"
/* Errors: INVALID_ARGUMENT "FILE:LINE:COLUMN: KEY: ...". ret_done is set if --help or --version was answered. */
bool config_load(struct config *config, int argc, char **argv, bool *ret_done, GError **error);
void config_clear(struct config *config);
/* Returns 0 to 4 for error, warn, info, debug and trace, or -1 for another text. */
int config_log_level(const struct config *config);
