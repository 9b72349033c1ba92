/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/dockerfile/options.h"
#include "api/message_copy.h"
#include "base/hash_walk.h"
#include "frontend/dockerfile/lint.h"
#include "base/limits.h"
#include "format/csv.h"
#include "format/gotype.h"
#include "format/json_writer.h"
#include "format/reference.h"
#include "frontend/dockerfile/image_config.h"
#include "frontend/dockerfile/text.h"
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

const char *options_get(const struct options *o, const char *key)
{
	return g_hash_table_lookup(o->all, key);
}

static const char *get(const struct options *o, const char *key)
{
	const char *value = options_get(o, key);
	return value ? value : "";
}

GHashTable *options_build_args(const struct options *o)
{
	GHashTable *args = g_hash_table_new(g_str_hash, g_str_equal);
	for (struct hash_walk it = hash_walk(o->all); hash_walk_next(&it);)
		if (g_str_has_prefix(it.key, "build-arg:"))
			g_hash_table_insert(args, (char *)it.key + strlen("build-arg:"), (char *)it.value);
	return args;
}

bool options_no_cache(const struct options *o, const char *stage)
{
	for (size_t i = 0; i < o->no_cache_stages.n; i++)
		if (text_equal_fold(o->no_cache_stages.items[i], stage))
			return true;
	return o->no_cache;
}

static bool read_platforms(arena *a, struct options *o, const struct platform *platforms, size_t n, GError **error)
{
	if (n)
		o->build_platform = platforms[0];
	else
		platform_host(&o->build_platform);
	if (!*get(o, "platform"))
		return true;
	g_auto(GStrv) parts = g_strsplit(get(o, "platform"), ",", -1);
	for (size_t i = 0; parts[i]; i++) {
		struct platform *p = arena_make(a, struct platform);
		if (!platform_parse(parts[i], p, error))
			return error_prefix(error, "failed to parse target platform %s: ", parts[i]);
		arena_push(a, &o->platforms, p);
	}
	return true;
}

static bool read_multi_platform(arena *a, struct options *o, GError **error)
{
	const char *value = get(o, "build-arg:BUILDKIT_MULTI_PLATFORM");
	if (!*value)
		value = get(o, "multi-platform");
	o->multi_platform = o->platforms.n > 1;
	if (!*value)
		return true;
	bool on;
	if (!bool_parse(value, &on, NULL))
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid boolean value for multi-platform: %s", value);
	if (!on && o->multi_platform)
		return error_set(error, ERROR_INVALID_ARGUMENT,
				 "conflicting config: returning multiple target platforms is not allowed");
	o->multi_platform = on;
	return true;
}

static bool read_resolve_mode(arena *a, struct options *o, GError **error)
{
	const char *mode = get(o, "image-resolve-mode");
	o->resolve_mode = *mode ? mode : "default";
	return strcmp(o->resolve_mode, "default") == 0 || strcmp(mode, "pull") == 0 || strcmp(mode, "local") == 0 ||
	       error_set(error, ERROR_INVALID_ARGUMENT, "invalid image-resolve-mode: %s", mode);
}

/* Formats an address like Go (an IPv4-mapped address as IPv4). */
static const char *canonical_ip(arena *a, const char *text)
{
	unsigned char v4[4], v6[16];
	char out[INET6_ADDRSTRLEN];
	static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
	if (inet_pton(AF_INET, text, v4) == 1)
		return arena_strdup(a, inet_ntop(AF_INET, v4, out, sizeof out));
	if (inet_pton(AF_INET6, text, v6) != 1)
		return NULL;
	if (memcmp(v6, mapped, sizeof mapped) == 0)
		return arena_strdup(a, inet_ntop(AF_INET, v6 + 12, out, sizeof out));
	return arena_strdup(a, inet_ntop(AF_INET6, v6, out, sizeof out));
}

static bool add_host(arena *a, struct options *o, const char *field, GError **error)
{
	const char *lower = text_lower(a, field), *equals = strchr(lower, '=');
	if (!equals)
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid key-value pair %s", field);
	Pb__HostIP *host = message_new_in(a, Pb__HostIP, pb__host_ip);
	host->host = arena_strndup(a, lower, (size_t)(equals - lower));
	host->ip = (char *)canonical_ip(a, equals + 1);
	if (!host->ip)
		return error_set(error, ERROR_INVALID_ARGUMENT, "failed to parse IP %s", equals + 1);
	arena_push(a, &o->hosts, host);
	return true;
}

static bool each_field(arena *a, struct options *o, const char *csv,
		       bool (*add)(arena *a, struct options *o, const char *field, GError **error), GError **error)
{
	if (!*csv)
		return true;
	g_auto(GStrv) fields = csv_parse(csv, error);
	if (!fields)
		return false;
	for (size_t i = 0; fields[i]; i++)
		if (!add(a, o, fields[i], error))
			return false;
	return true;
}

static bool read_hosts(arena *a, struct options *o, GError **error)
{
	return each_field(a, o, get(o, "add-hosts"), add_host, error) ||
	       error_prefix(error, "failed to parse additional hosts: ");
}

static bool check_ulimit(int64_t soft, int64_t hard, GError **error)
{
	if (hard != -1 && soft == -1)
		return error_set(error, ERROR_INVALID_ARGUMENT,
				 "ulimit soft limit must be less than or equal to hard limit: soft: -1 (unlimited), "
				 "hard: %" PRId64,
				 hard);
	if (hard != -1 && soft > hard)
		return error_set(error, ERROR_INVALID_ARGUMENT,
				 "ulimit soft limit must be less than or equal to hard limit: %" PRId64 " > %" PRId64,
				 soft, hard);
	return true;
}

static bool add_ulimit(arena *a, struct options *o, const char *field, GError **error)
{
	static const char *const types[] = {"core",     "cpu",        "data",   "fsize", "locks", "memlock",
					    "msgqueue", "nice",       "nofile", "nproc", "rss",   "rtprio",
					    "rttime",   "sigpending", "stack",  NULL};
	const char *equals = strchr(field, '=');
	if (!equals)
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid ulimit argument: %s", field);
	Pb__Ulimit *u = message_new_in(a, Pb__Ulimit, pb__ulimit);
	u->name = arena_strndup(a, field, (size_t)(equals - field));
	if (!g_strv_contains(types, u->name))
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid ulimit type: %s", u->name);
	g_auto(GStrv) values = g_strsplit(equals + 1, ":", -1);
	size_t n = MAX(g_strv_length(values), 1);
	if (n > 2)
		return error_set(error, ERROR_INVALID_ARGUMENT,
				 "too many limit value arguments - %s, can only have up to two, `soft[:hard]`",
				 equals + 1);
	if (n == 2 && !int_parse(values[1], 10, &u->hard, error))
		return false;
	if (!int_parse(values[0] ? values[0] : "", 10, &u->soft, error))
		return false;
	if (n == 1)
		u->hard = u->soft;
	arena_push(a, &o->ulimits, u);
	return check_ulimit(u->soft, u->hard, error);
}

static bool read_ulimits(arena *a, struct options *o, GError **error)
{
	return each_field(a, o, get(o, "ulimit"), add_ulimit, error) || error_prefix(error, "failed to parse ulimit: ");
}

static bool read_shm_size(arena *a, struct options *o, GError **error)
{
	const char *value = get(o, "shm-size");
	return !*value || int_parse(value, 10, &o->shm_size, error) ||
	       error_prefix(error, "failed to parse shm size: ");
}

/* Parses a number with optional blanks around it; false if it is missing or negative. */
static bool cpu_number(const char *text, int64_t *ret)
{
	g_autofree char *trimmed = g_strstrip(g_strdup(text));
	return int_parse(trimmed, 10, ret, NULL) && *ret >= 0;
}

/* Checks one element of a list, "3" or "0-3". */
static bool cpu_element(const char *text, GError **error)
{
	int64_t first, last;
	const char *dash = strchr(text, '-');
	g_autofree char *low = dash ? g_strndup(text, (gsize)(dash - text)) : g_strdup(text), *quoted = go_quote(text);
	const char *what = dash ? "range" : "element";
	if (!cpu_number(low, &first) || !cpu_number(dash ? dash + 1 : low, &last) || last < first)
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid cpuset %s %s", what, quoted);
	if (last > LIMIT_CPU_INDEX)
		return error_set(error, ERROR_INVALID_ARGUMENT, "cpuset %s %s exceeds maximum %lld", what, quoted,
				 LIMIT_CPU_INDEX);
	return true;
}

/* Checks a list such as "0-3,7", the format of cpuset files. */
static bool cpu_list_check(const char *text, GError **error)
{
	g_auto(GStrv) parts = g_strsplit(text, ",", -1);
	for (char **part = parts; *part; part++) {
		g_strstrip(*part);
		if (**part && !cpu_element(*part, error))
			return false;
	}
	return true;
}

/* Like strconv.ParseUint, with the bits stored as int64_t. */
static bool unsigned_parse(const char *text, int64_t *ret, GError **error)
{
	g_autofree char *quoted = go_quote(text);
	const char *why = !*text || text[strspn(text, "0123456789")] ? "invalid syntax" : NULL;
	errno = 0;
	guint64 n = why ? 0 : g_ascii_strtoull(text, NULL, 10);
	if (!why && errno == ERANGE)
		why = "value out of range";
	if (why)
		return error_set(error, ERROR_INVALID_ARGUMENT, "strconv.ParseUint: parsing %s: %s", quoted, why);
	*ret = (int64_t)n;
	return true;
}

enum resource_rule { ABOVE_ZERO, UNSIGNED_ABOVE_ZERO, UNLIMITED_OR_ABOVE, CPU_LIST };
static const struct {
	const char *key;
	enum resource_rule rule;
	size_t offset;
} resources[] = {
	{"memory", ABOVE_ZERO, offsetof(Pb__LinuxResources, memory)},
	{"memswap", UNLIMITED_OR_ABOVE, offsetof(Pb__LinuxResources, memoryswap)},
	{"cpushares", UNSIGNED_ABOVE_ZERO, offsetof(Pb__LinuxResources, cpushares)},
	{"cpuperiod", UNSIGNED_ABOVE_ZERO, offsetof(Pb__LinuxResources, cpuperiod)},
	{"cpuquota", ABOVE_ZERO, offsetof(Pb__LinuxResources, cpuquota)},
	{"cpusetcpus", CPU_LIST, offsetof(Pb__LinuxResources, cpusetcpus)},
	{"cpusetmems", CPU_LIST, offsetof(Pb__LinuxResources, cpusetmems)},
};

static bool read_resource(arena *a, Pb__LinuxResources *r, size_t i, const char *value, GError **error)
{
	char *member = (char *)r + resources[i].offset;
	const char *key = resources[i].key;
	if (resources[i].rule == CPU_LIST) {
		*(char **)(void *)member = arena_strdup(a, value);
		if (cpu_list_check(value, error))
			return true;
		return error_prefix(error, "invalid %s value: %s: ", key, value);
	}
	int64_t n;
	bool is_unsigned = resources[i].rule == UNSIGNED_ABOVE_ZERO;
	if (is_unsigned ? !unsigned_parse(value, &n, error) : !int_parse(value, 10, &n, error))
		return error_prefix(error, "invalid %s value: %s: ", key, value);
	bool swap = resources[i].rule == UNLIMITED_OR_ABOVE;
	if (n == 0 || (!is_unsigned && n < (swap ? -1 : 0)))
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid %s value: %s: must be %s", key, value,
				 swap ? "-1 (unlimited) or > 0" : "> 0");
	*(int64_t *)(void *)member = n;
	return true;
}

static bool read_resources(arena *a, struct options *o, GError **error)
{
	for (size_t i = 0; i < G_N_ELEMENTS(resources); i++) {
		const char *value = get(o, resources[i].key);
		if (!*value)
			continue;
		if (!o->resources) {
			o->resources = message_new_in(a, Pb__LinuxResources, pb__linux_resources);
		}
		if (!read_resource(a, o->resources, i, value, error))
			return error_prefix(error, "failed to parse resource limits: ");
	}
	return true;
}

static bool read_network(arena *a, struct options *o, GError **error)
{
	const char *mode = get(o, "force-network-mode");
	if (strcmp(mode, "none") == 0)
		o->network = PB__NET_MODE__NONE;
	else if (strcmp(mode, "host") == 0)
		o->network = PB__NET_MODE__HOST;
	else if (*mode && strcmp(mode, "sandbox") != 0)
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid netmode %s", mode);
	return true;
}

static bool read_no_cache(arena *a, struct options *o, GError **error)
{
	const char *value = options_get(o, "no-cache");
	o->no_cache = value && !*value;
	g_auto(GStrv) names = g_strsplit(value ? value : "", ",", -1);
	for (size_t i = 0; names[i]; i++)
		arena_push(a, &o->no_cache_stages, arena_strdup(a, names[i]));
	return true;
}

/* Values that are not strings count as empty. */
static GHashTable *import_attrs(const json_t *json)
{
	GHashTable *attrs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)json, key, value)
	{
		g_hash_table_insert(attrs, g_strdup(key),
				    g_strdup(json_is_string(value) ? json_string_value(value) : ""));
	}
	return attrs;
}

static bool read_cache_imports(arena *a, struct options *o, GError **error)
{
	const char *text = get(o, "cache-imports");
	if (*text) {
		g_autoptr(json_t) list =
			json_read(text, strlen(text), (size_t)LIMIT_CACHE_CONFIG_BYTES, "cache-imports", error);
		if (!json_is_array(list)) {
			g_autofree char *quoted = go_quote(text);
			if (list)
				error_set(error, ERROR_INVALID_ARGUMENT, "not a JSON array");
			return error_prefix(error, "failed to unmarshal cache-imports (%s): ", quoted);
		}
		for (size_t i = 0; i < json_array_size(list); i++) {
			const json_t *entry = json_array_get(list, i);
			const char *type = json_string_value(json_object_get(entry, "Type"));
			cache_imports_add(o->cache_imports, type ? type : "",
					  import_attrs(json_object_get(entry, "Attrs")));
		}
	}
	if (!*get(o, "cache-from"))
		return true;
	g_auto(GStrv) refs = g_strsplit(get(o, "cache-from"), ",", -1);
	for (size_t i = 0; refs[i]; i++) {
		GHashTable *attrs = import_attrs(NULL);
		g_hash_table_insert(attrs, g_strdup("ref"), g_strdup(refs[i]));
		cache_imports_add(o->cache_imports, "registry", attrs);
	}
	return true;
}

static bool read_attestations(arena *a, struct options *o, GError **error)
{
	for (struct hash_walk it = hash_walk(o->all); hash_walk_next(&it);) {
		const char *key = it.key, *type = NULL;
		if (g_str_has_prefix(key, "attest:"))
			type = text_lower(a, key + strlen("attest:"));
		else if (g_str_has_prefix(key, "build-arg:BUILDKIT_ATTEST_"))
			type = text_lower(a, key + strlen("build-arg:BUILDKIT_ATTEST_"));
		if (!type || strcmp(type, "provenance") == 0)
			continue;
		if (strcmp(type, "sbom") != 0) {
			g_autofree char *quoted = go_quote(type);
			return error_set(error, ERROR_INVALID_ARGUMENT, "unknown attestation type %s", quoted);
		}
		sbom_options_clear(&o->sbom);
		if (!sbom_options_read(&o->sbom, it.value, "scanner", error))
			return false;
	}
	return true;
}

static int by_key(const void *x, const void *y)
{
	return strcmp((*(struct pair *const *)x)->key, (*(struct pair *const *)y)->key);
}

static bool read_texts(arena *a, struct options *o, GError **error)
{
	o->target = get(o, "target");
	o->cgroup_parent = get(o, "cgroup-parent");
	o->cache_namespace = get(o, "build-arg:BUILDKIT_CACHE_MOUNT_NS");
	o->hostname = get(o, "build-arg:BUILDKIT_SANDBOX_HOSTNAME");
	if (!*o->hostname)
		o->hostname = get(o, "hostname");
	o->check = options_get(o, "build-arg:BUILDKIT_DOCKERFILE_CHECK");
	for (struct hash_walk it = hash_walk(o->all); hash_walk_next(&it);) {
		if (!g_str_has_prefix(it.key, "label:"))
			continue;
		struct pair *pair = arena_make(a, struct pair);
		*pair = (struct pair){(const char *)it.key + strlen("label:"), it.value, false, ""};
		arena_push(a, &o->labels, pair);
	}
	if (o->labels.n)
		qsort(o->labels.items, o->labels.n, sizeof(void *), by_key);
	return true;
}

static bool refuse_removed(arena *a, struct options *o, GError **error)
{
	bool on;
	if (*get(o, "override-copy-image"))
		return error_set(error, ERROR_INVALID_ARGUMENT,
				 "support for \"override-copy-image\" was removed in BuildKit 0.11");
	if (bool_parse(get(o, "build-arg:BUILDKIT_DISABLE_FILEOP"), &on, NULL) && on)
		return error_set(error, ERROR_INVALID_ARGUMENT,
				 "support for \"BUILDKIT_DISABLE_FILEOP\" build-arg was removed in BuildKit 0.11");
	return true;
}

/* Parsed here, so that errors are reported also by requests that run no checks. */
static bool read_check(arena *a, struct options *o, GError **error)
{
	struct lint l = {.a = a};
	return !o->check || lint_configure(&l, o->check, error) ||
	       error_prefix(error, "failed to parse build-arg:BUILDKIT_DOCKERFILE_CHECK: ");
}

bool options_read(arena *a, GHashTable *table, const struct platform *platforms, size_t n_platforms,
		  struct options *ret, GError **error)
{
	/* In the order of upstream's checks. */
	static bool (*const readers[])(arena * a, struct options * o, GError * *error) = {
		read_resolve_mode,  read_hosts,        read_shm_size, read_ulimits,
		read_resources,     read_network,      read_no_cache, read_multi_platform,
		read_cache_imports, read_attestations, read_texts,    read_check,
	};
	*ret = (struct options){.all = table, .cache_imports = cache_imports_new()};
	if (!refuse_removed(a, ret, error) || !read_platforms(a, ret, platforms, n_platforms, error))
		return false;
	for (size_t i = 0; i < G_N_ELEMENTS(readers); i++)
		if (!readers[i](a, ret, error))
			return false;
	return true;
}

void options_clear(struct options *o)
{
	g_clear_pointer(&o->cache_imports, g_array_unref);
	sbom_options_clear(&o->sbom);
}
