/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"
#include "format/flags.h"
#include <stddef.h>

#define AT(member) offsetof(struct config, member)
#define OCI(member) offsetof(struct config, oci.member)
#define CTRD(member) offsetof(struct config, containerd.member)
#define NOT_YET OPTION_INACTIVE

const struct option options[] = {
	{"rootless", NULL, OPTION_BOOL, NOT_YET, NULL, NULL, "take the defaults that fit rootless containers"},
	{"config", NULL, OPTION_STRING, AT(path), "/etc/buildkit/buildkitd.toml", NULL, "configuration file"},
	{"debug", "debug", OPTION_BOOL, AT(debug), NULL, NULL,
	 "log level debug (in the file: deprecated, log.level says it)"},
	{"trace", "trace", OPTION_BOOL, AT(trace), NULL, NULL, "log level trace (deprecated, log.level says it)",
	 .hidden = true},
	{"root", "root", OPTION_STRING, AT(root), "/var/lib/buildkit", NULL, "directory of all state"},
	{"addr", "grpc.address", OPTION_STRINGS, AT(addresses), "unix:///run/buildkit/buildkitd.sock", NULL,
	 "address to listen on: unix://PATH, tcp://HOST:PORT or fd:// (sockets of the service manager)"},
	{"log-format", "log.format", OPTION_STRING, AT(log_format), "text", NULL, "form of log lines: text or json"},
	{"log-level", "log.level", OPTION_STRING, AT(log_level), "info", "BUILDKITD_LOG_LEVEL",
	 "least important line to log: error, warn, info, debug or trace"},
	{"group", NULL, OPTION_STRING, AT(group), NULL, NULL, "group (name or number) that unix sockets belong to"},
	{"debugaddr", "grpc.debugAddress", OPTION_STRING, AT(debug_address), NULL, "BUILDKITD_DEBUGADDR",
	 "HOST:PORT that shows counters and threads over HTTP"},
	{"tlscert", "grpc.tls.cert", OPTION_STRING, AT(tls_cert), NULL, NULL, "certificate to show (PEM file)"},
	{"tlskey", "grpc.tls.key", OPTION_STRING, AT(tls_key), NULL, NULL, "key of the certificate (PEM file)"},
	{"tlscacert", "grpc.tls.ca", OPTION_STRING, AT(tls_ca), NULL, NULL,
	 "authority that clients' certificates must come from (PEM file)"},
	{NULL, "grpc.uid", OPTION_INT, AT(socket_uid), "-1", NULL,
	 "user that unix sockets belong to, -1: the daemon's"},
	{NULL, "grpc.gid", OPTION_INT, AT(socket_gid), "-1", NULL,
	 "group that unix sockets belong to, -1: the daemon's"},
	{NULL, "grpc.securityDescriptor", OPTION_STRING, NOT_YET, NULL, NULL, "of named pipes on Windows"},
	{"allow-insecure-entitlement", "insecure-entitlements", OPTION_STRINGS, AT(entitlements), NULL, NULL,
	 "privilege that builds may be granted: network.host, security.insecure or device"},
	{"proxy-network", "proxyNetwork", OPTION_BOOL, NOT_YET, NULL, NULL,
	 "steps reach the network through a recording proxy only"},
	{"otel-socket-path", "otel.socketPath", OPTION_STRING, NOT_YET, NULL, NULL,
	 "socket that steps send their traces to"},
	{"cdi-disabled", "cdi.disabled", OPTION_BOOL, NOT_YET, NULL, NULL,
	 "know no devices of the Container Device Interface"},
	{"cdi-spec-dir", "cdi.specDirs", OPTION_STRINGS, NOT_YET, NULL, NULL, "directory that describes such devices"},
	{NULL, "cdi.autoAllowed", OPTION_STRINGS, NOT_YET, NULL, NULL, "devices and kinds that need no entitlement"},
	{"save-cache-debug", NULL, OPTION_BOOL, NOT_YET, NULL, NULL, "record what cache keys were made of"},
	{NULL, "provenanceEnvDir", OPTION_STRING, AT(provenance_env_dir), "/etc/buildkit/provenance.d", NULL,
	 "directory of JSON files that provenance includes"},
	{NULL, "dns.nameservers", OPTION_STRINGS, AT(dns_nameservers), NULL, NULL,
	 "name servers of steps, instead of the host's"},
	{NULL, "dns.options", OPTION_STRINGS, AT(dns_options), NULL, NULL,
	 "resolver options of steps, instead of the host's"},
	{NULL, "dns.searchDomains", OPTION_STRINGS, AT(dns_search), NULL, NULL,
	 "search domains of steps, instead of the host's"},
	{"explain-misses", "explainMisses", OPTION_BOOL, AT(explain_misses), "true", NULL,
	 "say under a step that ran before why it runs again"},
	{NULL, "history.maxAge", OPTION_DURATION, AT(history_max_age_ns), "48h", NULL,
	 "forget finished builds after this time"},
	{NULL, "history.maxEntries", OPTION_INT, AT(history_max_entries), "50", NULL,
	 "finished builds to remember in any case"},
	{NULL, "system.platformsCacheMaxAge", OPTION_DURATION, NOT_YET, NULL, NULL,
	 "how often emulated platforms are looked for"},
	{NULL, "system.maxRegistryConcurrency", OPTION_INT, AT(registry_concurrency), "4", NULL,
	 "transfers at a time with one registry"},
	{NULL, "frontend.dockerfile.v0.enabled", OPTION_BOOL, AT(dockerfile_enabled), "true", NULL,
	 "serve the frontend dockerfile.v0"},
	{NULL, "frontend.gateway.v0.enabled", OPTION_BOOL, AT(gateway_enabled), "true", NULL,
	 "serve the frontend gateway.v0"},
	{NULL, "frontend.gateway.v0.allowedRepositories", OPTION_STRINGS, NOT_YET, NULL, NULL,
	 "repositories that frontend images may come from"},
	{NULL, "cache.gha.sign.command", OPTION_STRINGS, NOT_YET, NULL, NULL, "program that signs cache entries"},
	{NULL, "cache.gha.verify.required", OPTION_BOOL, NOT_YET, NULL, NULL, "take signed cache entries only"},

	{"containerd-worker", "worker.containerd.enabled", OPTION_TRISTATE, CTRD(enabled), "auto", NULL,
	 "build with containerd: true, false or auto"},
	{"containerd-worker-addr", "worker.containerd.address", OPTION_STRING, CTRD(address),
	 "/run/containerd/containerd.sock", NULL, "containerd's socket"},
	{"containerd-worker-labels", "worker.containerd.labels", OPTION_LABELS, CTRD(labels), NULL, NULL,
	 "label of the worker, e.g. com.example.kind=fast"},
	{"containerd-worker-platform", "worker.containerd.platforms", OPTION_STRINGS, CTRD(platforms), NULL, NULL,
	 "platform to build for, instead of those found", .hidden = true},
	{"containerd-worker-namespace", "worker.containerd.namespace", OPTION_STRING, CTRD(containerd_namespace),
	 "buildkit", NULL, "containerd namespace to work in", .hidden = true},
	{"containerd-worker-runtime", "worker.containerd.runtime.name", OPTION_STRING, CTRD(runtime_name),
	 "io.containerd.runc.v2", NULL, "containerd runtime of steps", .hidden = true},
	{NULL, "worker.containerd.runtime.path", OPTION_STRING, CTRD(runtime_path), NULL, NULL,
	 "program of that runtime"},
	{NULL, "worker.containerd.runtime.options", OPTION_TABLE, CTRD(runtime_options), NULL, NULL,
	 "options of that runtime, by the names it gives them"},
	{"containerd-worker-net", "worker.containerd.networkMode", OPTION_STRING, CTRD(network_mode), "auto", NULL,
	 "network of steps: auto, host, cni or bridge"},
	{"containerd-cni-config-path", "worker.containerd.cniConfigPath", OPTION_STRING, NOT_YET, NULL, NULL,
	 "CNI configuration file"},
	{"containerd-cni-binary-dir", "worker.containerd.cniBinaryPath", OPTION_STRING, NOT_YET, NULL, NULL,
	 "directory of CNI plugins"},
	{"containerd-cni-pool-size", "worker.containerd.cniPoolSize", OPTION_INT, NOT_YET, NULL, NULL,
	 "network namespaces to make ahead"},
	{NULL, "worker.containerd.bridgeName", OPTION_STRING, NOT_YET, NULL, NULL,
	 "name of the bridge (network mode bridge)"},
	{NULL, "worker.containerd.bridgeSubnet", OPTION_STRING, NOT_YET, NULL, NULL,
	 "addresses on the bridge (network mode bridge)"},
	{"containerd-worker-snapshotter", "worker.containerd.snapshotter", OPTION_STRING, CTRD(snapshotter),
	 "overlayfs", NULL, "containerd snapshotter to use"},
	{"containerd-worker-apparmor-profile", "worker.containerd.apparmor-profile", OPTION_STRING,
	 CTRD(apparmor_profile), NULL, NULL, "AppArmor profile of steps"},
	{"containerd-worker-selinux", "worker.containerd.selinux", OPTION_BOOL, CTRD(selinux), NULL, NULL,
	 "give steps SELinux labels"},
	{"containerd-max-parallelism", "worker.containerd.max-parallelism", OPTION_INT, CTRD(max_parallelism), "0",
	 NULL, "steps to run at a time, 0: no limit"},
	{"containerd-worker-rootless", "worker.containerd.rootless", OPTION_BOOL, NOT_YET, NULL, NULL,
	 "run steps without privileges"},
	{"containerd-worker-gc", "worker.containerd.gc", OPTION_BOOL, CTRD(gc), "true", NULL,
	 "remove old records by itself"},
	{"containerd-worker-gc-keepstorage", NULL, OPTION_STRING, CTRD(gc_keep_storage), NULL, NULL,
	 "space for the cache in MB: \"Reserved[,Free[,Maximum]]\""},
	{NULL, "worker.containerd.reservedSpace", OPTION_DISK_SPACE, CTRD(reserved_space), "-1", NULL,
	 "space that the cache may keep in any case"},
	{NULL, "worker.containerd.maxUsedSpace", OPTION_DISK_SPACE, CTRD(max_used_space), "-1", NULL,
	 "space that the cache never exceeds for long"},
	{NULL, "worker.containerd.minFreeSpace", OPTION_DISK_SPACE, CTRD(min_free_space), "-1", NULL,
	 "free space that the cache gives way to"},
	{NULL, "worker.containerd.defaultCgroupParent", OPTION_STRING, CTRD(cgroup_parent), NULL, NULL,
	 "control group above those of steps"},

	{"oci-worker", "worker.oci.enabled", OPTION_TRISTATE, OCI(enabled), "auto", NULL,
	 "build with an OCI runtime: true, false or auto"},
	{"oci-worker-labels", "worker.oci.labels", OPTION_LABELS, OCI(labels), NULL, NULL,
	 "label of the worker, e.g. com.example.kind=fast"},
	{"oci-worker-snapshotter", "worker.oci.snapshotter", OPTION_STRING, OCI(snapshotter), "auto", NULL,
	 "how trees are kept: auto, overlayfs or native"},
	{"oci-worker-proxy-snapshotter-path", "worker.oci.proxySnapshotterPath", OPTION_STRING, NOT_YET, NULL, NULL,
	 "socket of a snapshotter of its own (a path without unix://)"},
	{NULL, "worker.oci.stargzSnapshotter", OPTION_STRING, NOT_YET, NULL, NULL,
	 "configuration of the stargz snapshotter"},
	{"oci-worker-platform", "worker.oci.platforms", OPTION_STRINGS, OCI(platforms), NULL, NULL,
	 "platform to build for, instead of those found"},
	{"oci-worker-net", "worker.oci.networkMode", OPTION_STRING, OCI(network_mode), "auto", NULL,
	 "network of steps: auto, host, cni or bridge"},
	{"oci-cni-config-path", "worker.oci.cniConfigPath", OPTION_STRING, NOT_YET, NULL, NULL,
	 "CNI configuration file"},
	{"oci-cni-binary-dir", "worker.oci.cniBinaryPath", OPTION_STRING, NOT_YET, NULL, NULL,
	 "directory of CNI plugins"},
	{"oci-cni-pool-size", "worker.oci.cniPoolSize", OPTION_INT, NOT_YET, NULL, NULL,
	 "network namespaces to make ahead"},
	{NULL, "worker.oci.bridgeName", OPTION_STRING, NOT_YET, NULL, NULL, "name of the bridge (network mode bridge)"},
	{NULL, "worker.oci.bridgeSubnet", OPTION_STRING, NOT_YET, NULL, NULL,
	 "addresses on the bridge (network mode bridge)"},
	{NULL, "worker.oci.userRemapUnsupported", OPTION_STRING, NOT_YET, NULL, NULL, "for tests of the original"},
	{"oci-worker-binary", "worker.oci.binary", OPTION_STRING, OCI(binary), NULL, NULL,
	 "OCI runtime to run steps with (name or path)"},
	{"oci-worker-apparmor-profile", "worker.oci.apparmor-profile", OPTION_STRING, OCI(apparmor_profile), NULL, NULL,
	 "AppArmor profile of steps"},
	{"oci-worker-selinux", "worker.oci.selinux", OPTION_BOOL, OCI(selinux), NULL, NULL,
	 "give steps SELinux labels"},
	{"oci-max-parallelism", "worker.oci.max-parallelism", OPTION_INT, OCI(max_parallelism), "0", NULL,
	 "steps to run at a time, 0: no limit"},
	{"oci-worker-rootless", "worker.oci.rootless", OPTION_BOOL, NOT_YET, NULL, NULL,
	 "run steps without privileges"},
	{"oci-worker-no-process-sandbox", "worker.oci.noProcessSandbox", OPTION_BOOL, NOT_YET, NULL, NULL,
	 "steps share the host's processes and /proc (WARNING: they can then stop and inspect them)"},
	{"oci-worker-gc", "worker.oci.gc", OPTION_BOOL, OCI(gc), "true", NULL, "remove old records by itself"},
	{"oci-worker-gc-keepstorage", NULL, OPTION_STRING, OCI(gc_keep_storage), NULL, NULL,
	 "space for the cache in MB: \"Reserved[,Free[,Maximum]]\""},
	{NULL, "worker.oci.reservedSpace", OPTION_DISK_SPACE, OCI(reserved_space), "-1", NULL,
	 "space that the cache may keep in any case"},
	{NULL, "worker.oci.maxUsedSpace", OPTION_DISK_SPACE, OCI(max_used_space), "-1", NULL,
	 "space that the cache never exceeds for long"},
	{NULL, "worker.oci.minFreeSpace", OPTION_DISK_SPACE, OCI(min_free_space), "-1", NULL,
	 "free space that the cache gives way to"},
	{NULL, "worker.oci.defaultCgroupParent", OPTION_STRING, OCI(cgroup_parent), NULL, NULL,
	 "control group above those of steps"},
};
const size_t options_count = G_N_ELEMENTS(options);

#define RULE(member) offsetof(struct gc_rule, member)
const struct option gc_options[] = {
	{NULL, "all", OPTION_BOOL, RULE(all), NULL, NULL, "internal records, too"},
	{NULL, "filters", OPTION_STRINGS, RULE(filters), NULL, NULL,
	 "records that one of these matches, e.g. type==exec.cachemount"},
	{NULL, "keepDuration", OPTION_DURATION, RULE(keep_duration_ns), NULL, NULL,
	 "keep what was used within this time"},
	{NULL, "keepBytes", OPTION_DISK_SPACE, RULE(reserved_bytes), NULL, NULL, "old name of reservedSpace"},
	{NULL, "reservedSpace", OPTION_DISK_SPACE, RULE(reserved_bytes), NULL, NULL,
	 "space that these records may keep in any case"},
	{NULL, "maxUsedSpace", OPTION_DISK_SPACE, RULE(max_used_bytes), NULL, NULL,
	 "space that these records never exceed for long"},
	{NULL, "minFreeSpace", OPTION_DISK_SPACE, RULE(min_free_bytes), NULL, NULL,
	 "free space that these records give way to"},
};
const size_t gc_options_count = G_N_ELEMENTS(gc_options);

#define HOST(member) offsetof(struct registry_host, member)
const struct option registry_options[] = {
	{NULL, "mirrors", OPTION_STRINGS, HOST(mirrors), NULL, NULL,
	 "HOST[:PORT][/PATH] to ask first, in this order, when pulling"},
	{NULL, "http", OPTION_TRISTATE, HOST(http), "auto", NULL, "speak HTTP without TLS (auto: with localhost only)"},
	{NULL, "insecure", OPTION_TRISTATE, HOST(insecure), "auto", NULL, "do not verify the certificate"},
	{NULL, "ca", OPTION_STRINGS, HOST(ca_files), NULL, NULL,
	 "PEM files of authorities to trust besides the system's"},
	{NULL, "tlsconfigdir", OPTION_STRINGS, HOST(tls_config_dirs), NULL, NULL,
	 "directories of NAME.crt (authorities) and NAME.cert with NAME.key (own certificates)"},
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
				    o->default_value, o->env, o->hidden ? NULL : o->usage};
		if (o->flag)
			g_array_append_val(table, flag);
	}
	g_array_append_vals(table, fixed, G_N_ELEMENTS(fixed));
	return table;
}
