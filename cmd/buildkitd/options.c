/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"
#include "format/flags.h"
#include <stddef.h>

/* MEMBER expands to a row's type and offset. A member of another C type than the one of its OPTION does not compile. */
#define IS_OPTION_STRING(v) _Generic(v, char * : 1, const char * : 1)
#define IS_OPTION_STRINGS(v) _Generic(v, char ** : 1, const char *const * : 1)
#define IS_OPTION_BOOL(v) _Generic(v, bool : 1)
#define IS_OPTION_TRISTATE(v) _Generic(v, int : 1)
#define IS_OPTION_INT(v) _Generic(v, int64_t : 1)
#define IS_OPTION_DISK_SPACE(v) _Generic(v, int64_t : 1)
#define IS_OPTION_DURATION(v) _Generic(v, int64_t : 1)
#define IS_OPTION_LABELS(v) _Generic(v, GHashTable * : 1)
#define IS_OPTION_TABLE(v) _Generic(v, GHashTable * : 1)
#define MEMBER(option, type, member) option, offsetof(type, member) * (size_t)IS_##option(((type *)NULL)->member)

#define AT(option, member) MEMBER(option, struct config, member)
#define OCI(option, member) MEMBER(option, struct config, oci.member)
#define CTRD(option, member) MEMBER(option, struct config, containerd.member)
#define NOT_YET OPTION_INACTIVE

/* clang-format off */
/* The options that both workers have. NAME is the key below "worker" and the beginning of the flags. */
#define W(option, name, member) MEMBER(option, struct config, name.member)
#define WORKER_OPTIONS(NAME, what)                                                                                     \
	{#NAME "-worker", "worker." #NAME ".enabled", W(OPTION_TRISTATE, NAME, enabled), "auto", NULL,                 \
	 "enable " what ": true, false or auto"},                                                                      \
	{#NAME "-worker-labels", "worker." #NAME ".labels", W(OPTION_LABELS, NAME, options.labels), NULL, NULL,        \
	 "worker label, e.g. com.example.kind=fast"},                                                                  \
	{#NAME "-worker-net", "worker." #NAME ".networkMode", W(OPTION_STRING, NAME, options.network.mode), "auto",    \
	 NULL, "network mode of steps: auto (cni if the CNI configuration file exists, else host), cni, bridge or host"}, \
	{#NAME "-cni-config-path", "worker." #NAME ".cniConfigPath", W(OPTION_STRING, NAME, options.network.config_path), \
	 "/etc/buildkit/cni.json", NULL, "CNI configuration file"},                                                    \
	{#NAME "-cni-binary-dir", "worker." #NAME ".cniBinaryPath", W(OPTION_STRING, NAME, options.network.plugin_dir), \
	 "/opt/cni/bin", NULL, "directory of CNI plugin binaries"},                                                    \
	{#NAME "-cni-pool-size", "worker." #NAME ".cniPoolSize", W(OPTION_INT, NAME, options.network.pool_size), "0",  \
	 NULL, "number of network namespaces to create in advance"},                                                   \
	{NULL, "worker." #NAME ".bridgeName", W(OPTION_STRING, NAME, options.network.bridge_name), "buildkit0", NULL,  \
	 "name of the bridge (network mode bridge)"},                                                                  \
	{NULL, "worker." #NAME ".bridgeSubnet", W(OPTION_STRING, NAME, options.network.bridge_subnet), "10.10.0.0/16", \
	 NULL, "subnet of the bridge (network mode bridge)"},                                                          \
	{#NAME "-worker-apparmor-profile", "worker." #NAME ".apparmor-profile",                                        \
	 W(OPTION_STRING, NAME, options.executor.apparmor_profile), NULL, NULL, "AppArmor profile of steps"},          \
	{#NAME "-worker-selinux", "worker." #NAME ".selinux", W(OPTION_BOOL, NAME, options.executor.selinux), NULL,    \
	 NULL, "apply SELinux labels to steps (not supported yet)"},                                                   \
	{#NAME "-max-parallelism", "worker." #NAME ".max-parallelism", W(OPTION_INT, NAME, options.max_parallelism),   \
	 "0", NULL, "maximum number of steps that run in parallel; 0: no limit"},                                      \
	{#NAME "-worker-rootless", "worker." #NAME ".rootless", W(OPTION_BOOL, NAME, options.executor.rootless), NULL, \
	 NULL, "run steps in rootless mode (default: true in a user namespace)"},                                      \
	{#NAME "-worker-gc", "worker." #NAME ".gc", W(OPTION_BOOL, NAME, options.gc.enabled), "true", NULL,            \
	 "enable automatic garbage collection"},                                                                       \
	{#NAME "-worker-gc-keepstorage", NULL, W(OPTION_STRING, NAME, gc_keep_storage), NULL, NULL,                    \
	 "disk space for the cache in MB: \"Reserved[,Free[,Maximum]]\""},                                             \
	{NULL, "worker." #NAME ".reservedSpace", W(OPTION_DISK_SPACE, NAME, options.gc.reserved_bytes), "-1", NULL,    \
	 "cache size below which garbage collection removes nothing"},                                                 \
	{NULL, "worker." #NAME ".maxUsedSpace", W(OPTION_DISK_SPACE, NAME, options.gc.max_used_bytes), "-1", NULL,     \
	 "maximum cache size"},                                                                                        \
	{NULL, "worker." #NAME ".minFreeSpace", W(OPTION_DISK_SPACE, NAME, options.gc.min_free_bytes), "-1", NULL,     \
	 "free disk space that garbage collection tries to maintain"},                                                 \
	{NULL, "worker." #NAME ".defaultCgroupParent", W(OPTION_STRING, NAME, options.executor.cgroup_parent), NULL,   \
	 NULL, "parent control group of steps"}
/* clang-format on */

const struct option options[] = {
	{"rootless", NULL, AT(OPTION_BOOL, rootless), NULL, NULL,
	 "use the defaults for rootless containers, for all workers (default: true in a user namespace)"},
	{"check", NULL, AT(OPTION_BOOL, check), NULL, NULL,
	 "check what this machine needs to run the daemon with these options, print the results, and exit"},
	{"config", NULL, AT(OPTION_STRING, path), "/etc/buildkit/buildkitd.toml", NULL,
	 "configuration file (default of an ordinary user: ~/.config/buildkit/buildkitd.toml)"},
	{"debug", "debug", AT(OPTION_BOOL, debug), NULL, NULL,
	 "enable debug logging (deprecated in the configuration file: use log.level)"},
	{"trace", "trace", AT(OPTION_BOOL, trace), NULL, NULL, "enable trace logging (deprecated: use log.level)",
	 .hidden = true},
	{"root", "root", AT(OPTION_STRING, root), "/var/lib/buildkit", NULL,
	 "state directory (default of an ordinary user: ~/.local/share/buildkit)"},
	{"addr", "grpc.address", AT(OPTION_STRINGS, addresses), "unix:///run/buildkit/buildkitd.sock", NULL,
	 "address to listen on: unix://PATH, tcp://HOST:PORT or fd:// (sockets of the service manager) (default of an "
	 "ordinary user: unix://$XDG_RUNTIME_DIR/buildkit/buildkitd.sock)"},
	{"log-format", "log.format", AT(OPTION_STRING, log_format), "text", NULL, "log format: text or json"},
	{"log-level", "log.level", AT(OPTION_STRING, log_level), "info", "BUILDKITD_LOG_LEVEL",
	 "minimum log level: error, warn, info, debug or trace"},
	{"group", NULL, AT(OPTION_STRING, group), NULL, NULL, "group (name or number) that owns the unix sockets"},
	{"debugaddr", "grpc.debugAddress", AT(OPTION_STRING, debug_address), NULL, "BUILDKITD_DEBUGADDR",
	 "address on which counters and thread states are served over HTTP: HOST:PORT or unix://PATH"},
	{"drain-timeout", "drainTimeout", AT(OPTION_DURATION, drain_timeout_ns), "0s", NULL,
	 "time that running builds have to end after SIGTERM; they are cancelled afterwards"},
	{"tlscert", "grpc.tls.cert", AT(OPTION_STRING, tls_cert), NULL, NULL, "TLS server certificate (PEM file)"},
	{"tlskey", "grpc.tls.key", AT(OPTION_STRING, tls_key), NULL, NULL,
	 "private key of the TLS server certificate (PEM file)"},
	{"tlscacert", "grpc.tls.ca", AT(OPTION_STRING, tls_ca), NULL, NULL,
	 "CA used to verify client certificates (PEM file)"},
	{NULL, "grpc.uid", AT(OPTION_INT, socket_uid), "-1", NULL,
	 "user that owns the unix sockets; -1: the daemon's user"},
	{NULL, "grpc.gid", AT(OPTION_INT, socket_gid), "-1", NULL,
	 "group that owns the unix sockets; -1: the daemon's group"},
	{NULL, "grpc.securityDescriptor", OPTION_STRING, NOT_YET, NULL, NULL,
	 "security descriptor of named pipes (Windows)"},
	{"allow-insecure-entitlement", "insecure-entitlements", AT(OPTION_STRINGS, entitlements), NULL, NULL,
	 "entitlement that builds may request: network.host, security.insecure or device"},
	{"proxy-network", "proxyNetwork", AT(OPTION_BOOL, proxy_network), NULL, NULL,
	 "restrict the network access of steps to a proxy that records requests"},
	{"otel-socket-path", "otel.socketPath", AT(OPTION_STRING, otel_socket), NULL, NULL,
	 "path of the socket on which steps send OpenTelemetry traces (default: otel-grpc.sock in the state "
	 "directory)"},
	{"cdi-disabled", "cdi.disabled", AT(OPTION_BOOL, cdi_disabled), NULL, NULL,
	 "disable Container Device Interface (CDI) devices"},
	{"cdi-spec-dir", "cdi.specDirs", AT(OPTION_STRINGS, cdi_dirs), NULL, NULL,
	 "directory with CDI specifications (default: /etc/cdi, /var/run/cdi and /etc/buildkit/cdi)"},
	{NULL, "cdi.autoAllowed", AT(OPTION_STRINGS, cdi_auto_allowed), NULL, NULL,
	 "CDI devices and kinds that need no entitlement"},
	{"save-cache-debug", NULL, OPTION_BOOL, NOT_YET, NULL, NULL, "record the inputs of cache keys for debugging"},
	{NULL, "provenanceEnvDir", AT(OPTION_STRING, provenance_env_dir), "/etc/buildkit/provenance.d", NULL,
	 "directory of JSON files whose content is added to provenance attestations (default of an ordinary user: "
	 "~/.config/buildkit/provenance.d)"},
	{NULL, "dns.nameservers", AT(OPTION_STRINGS, dns_nameservers), NULL, NULL,
	 "DNS servers of steps (default: the host's)"},
	{NULL, "dns.options", AT(OPTION_STRINGS, dns_options), NULL, NULL,
	 "DNS resolver options of steps (default: the host's)"},
	{NULL, "dns.searchDomains", AT(OPTION_STRINGS, dns_search), NULL, NULL,
	 "DNS search domains of steps (default: the host's)"},
	{"explain-misses", "explainMisses", AT(OPTION_BOOL, explain_misses), "true", NULL,
	 "report for each step that missed the cache why it runs again"},
	{NULL, "history.maxAge", AT(OPTION_DURATION, history_max_age_ns), "48h", NULL,
	 "delete records of completed builds older than this"},
	{NULL, "history.maxEntries", AT(OPTION_INT, history_max_entries), "50", NULL,
	 "number of most recent build records to keep regardless of age"},
	{NULL, "system.platformsCacheMaxAge", AT(OPTION_DURATION, platforms_max_age_ns), "20s", NULL,
	 "how long detected emulated platforms are cached; negative: until the daemon stops"},
	{NULL, "system.maxRegistryConcurrency", AT(OPTION_INT, registry_concurrency), "4", NULL,
	 "maximum number of parallel transfers per registry"},
	{NULL, "frontend.dockerfile.v0.enabled", AT(OPTION_BOOL, dockerfile_enabled), "true", NULL,
	 "enable the frontend dockerfile.v0"},
	{NULL, "frontend.dockerfile.v0.images", AT(OPTION_STRINGS, dockerfile_images), NULL, NULL,
	 "repositories whose images dockerfile.v0 replaces if it implements the requested version (default: "
	 "docker.io/docker/dockerfile and docker.io/docker/dockerfile-upstream; []: none)"},
	{NULL, "frontend.gateway.v0.enabled", AT(OPTION_BOOL, gateway_enabled), "true", NULL,
	 "enable the frontend gateway.v0"},
	{NULL, "frontend.gateway.v0.allowedRepositories", AT(OPTION_STRINGS, allowed_repositories), NULL, NULL,
	 "repositories from which frontend images may be pulled (default: all)"},
	{NULL, "cache.gha.sign.command", OPTION_STRINGS, NOT_YET, NULL, NULL, "program that signs cache entries"},
	{NULL, "cache.gha.verify.required", OPTION_BOOL, NOT_YET, NULL, NULL, "accept only signed cache entries"},
	WORKER_OPTIONS(containerd, "the containerd worker"),
	{"containerd-worker-addr", "worker.containerd.address", CTRD(OPTION_STRING, options.containerd.address),
	 "/run/containerd/containerd.sock", NULL, "path of the containerd socket"},
	{"containerd-worker-namespace", "worker.containerd.namespace",
	 CTRD(OPTION_STRING, options.containerd.namespace), "buildkit", NULL, "containerd namespace", .hidden = true},
	{"containerd-worker-runtime", "worker.containerd.runtime.name",
	 CTRD(OPTION_STRING, options.containerd.runtime.name), "io.containerd.runc.v2", NULL,
	 "containerd runtime that runs steps", .hidden = true},
	{NULL, "worker.containerd.runtime.path", CTRD(OPTION_STRING, options.containerd.runtime.path), NULL, NULL,
	 "path of the runtime binary"},
	{NULL, "worker.containerd.runtime.options", CTRD(OPTION_TABLE, options.containerd.runtime.options), NULL, NULL,
	 "options passed to the runtime, named as the runtime names them"},
	{"containerd-worker-platform", "worker.containerd.platforms", CTRD(OPTION_STRINGS, options.platforms), NULL,
	 NULL, "platform to build for (default: the detected platforms)", .hidden = true},
	{"containerd-worker-snapshotter", "worker.containerd.snapshotter", CTRD(OPTION_STRING, options.snapshotter),
	 "overlayfs", NULL, "containerd snapshotter to use"},

	WORKER_OPTIONS(oci, "the OCI worker"),
	{"oci-worker-binary", "worker.oci.binary", OCI(OPTION_STRING, options.executor.binary), NULL, NULL,
	 "OCI runtime that runs steps, name or path (default: buildkit-runc in the daemon's directory, else "
	 "buildkit-runc or runc in PATH)"},
	{"oci-worker-platform", "worker.oci.platforms", OCI(OPTION_STRINGS, options.platforms), NULL, NULL,
	 "platform to build for (default: the detected platforms)"},
	{"oci-worker-snapshotter", "worker.oci.snapshotter", OCI(OPTION_STRING, options.snapshotter), "auto", NULL,
	 "snapshotter: auto, overlayfs, fuse-overlayfs or native; or the name of the proxy snapshotter, e.g. stargz"},
	{"oci-worker-proxy-snapshotter-path", "worker.oci.proxySnapshotterPath",
	 OCI(OPTION_STRING, options.proxy_snapshotter), NULL, NULL,
	 "socket of a proxy snapshotter (a path without unix://)"},
	{NULL, "worker.oci.stargzSnapshotter", OPTION_STRING, NOT_YET, NULL, NULL,
	 "configuration of the stargz snapshotter"},
	{NULL, "worker.oci.userRemapUnsupported", OPTION_STRING, NOT_YET, NULL, NULL,
	 "compatibility with upstream's test suite"},
	{"oci-worker-no-process-sandbox", "worker.oci.noProcessSandbox",
	 OCI(OPTION_BOOL, options.executor.no_process_sandbox), NULL, NULL,
	 "share the host's PID namespace and /proc with steps (WARNING: steps can then kill and inspect host "
	 "processes)"},
};
const size_t options_count = G_N_ELEMENTS(options);

#define RULE(option, member) MEMBER(option, struct gc_rule, member)
const struct option gc_options[] = {
	{NULL, "all", RULE(OPTION_BOOL, all), NULL, NULL, "include internal records"},
	{NULL, "filters", RULE(OPTION_STRINGS, filters), NULL, NULL,
	 "apply the rule to records that match one of these filters, e.g. type==exec.cachemount"},
	{NULL, "keepDuration", RULE(OPTION_DURATION, keep_duration_ns), NULL, NULL,
	 "keep records that were used within this time"},
	{NULL, "keepBytes", RULE(OPTION_DISK_SPACE, reserved_bytes), NULL, NULL, "old name of reservedSpace"},
	{NULL, "reservedSpace", RULE(OPTION_DISK_SPACE, reserved_bytes), NULL, NULL,
	 "size of these records below which the rule removes nothing"},
	{NULL, "maxUsedSpace", RULE(OPTION_DISK_SPACE, max_used_bytes), NULL, NULL, "maximum size of these records"},
	{NULL, "minFreeSpace", RULE(OPTION_DISK_SPACE, min_free_bytes), NULL, NULL,
	 "free disk space that the rule tries to maintain"},
};
const size_t gc_options_count = G_N_ELEMENTS(gc_options);

#define HOST(option, member) MEMBER(option, struct registry_host, member)
const struct option registry_options[] = {
	{NULL, "mirrors", HOST(OPTION_STRINGS, mirrors), NULL, NULL,
	 "mirrors (HOST[:PORT][/PATH]) to try first, in this order, when pulling"},
	{NULL, "http", HOST(OPTION_TRISTATE, http), "auto", NULL, "use plain HTTP (auto: for localhost only)"},
	{NULL, "insecure", HOST(OPTION_TRISTATE, insecure), "auto", NULL, "do not verify the TLS certificate"},
	{NULL, "ca", HOST(OPTION_STRINGS, ca_files), NULL, NULL,
	 "PEM files of CAs to trust in addition to the system's"},
	{NULL, "tlsconfigdir", HOST(OPTION_STRINGS, tls_config_dirs), NULL, NULL,
	 "directories with NAME.crt (CAs) and NAME.cert with NAME.key (client certificates)"},
};
const size_t registry_options_count = G_N_ELEMENTS(registry_options);

static enum flag_type flag_type_of(enum option_type type)
{
	switch (type) {
	case OPTION_BOOL:
		return FLAG_BOOL;
	case OPTION_STRINGS:
	case OPTION_LABELS:
		return FLAG_STRINGS;
	case OPTION_INT:
		return FLAG_INT;
	case OPTION_STRING:
	case OPTION_TRISTATE:
	case OPTION_DISK_SPACE:
	case OPTION_DURATION:
	case OPTION_TABLE:
		return FLAG_STRING;
	}
	return FLAG_STRING;
}

const char *option_help(const struct option *o)
{
	if (!o->usage || o->offset != OPTION_INACTIVE)
		return o->usage;
	g_autofree char *text = g_strconcat(o->usage, " (no effect yet)", NULL);
	return g_intern_string(text);
}

GArray *options_flags(void)
{
	static const struct flag fixed[] = {
		{"help", "h", FLAG_BOOL, NULL, NULL, "show help"},
		{"version", "v", FLAG_BOOL, NULL, NULL, "print the version"},
	};
	GArray *table = g_array_new(FALSE, TRUE, sizeof(struct flag));
	for (size_t i = 0; i < options_count; i++) {
		const struct option *o = &options[i];
		struct flag flag = {o->flag,          NULL,   flag_type_of(o->type),
				    o->default_value, o->env, o->hidden ? NULL : option_help(o)};
		if (o->flag)
			g_array_append_val(table, flag);
	}
	g_array_append_vals(table, fixed, G_N_ELEMENTS(fixed));
	return table;
}
