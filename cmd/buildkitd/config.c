/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"
#include "base/version.h"
#include "config_file.h"
#include "format/flags.h"
#include "format/gotype.h"
#include "options.h"
#include "os/user_namespace.h"
#include "user_paths.h"
#include <stdio.h>
#include <string.h>

void *option_member(void *base, const struct option *option)
{
	return (char *)base + option->offset;
}

bool option_set_text(void *base, const struct option *option, const char *text, GError **error)
{
	if (option->offset == OPTION_INACTIVE)
		return true;
	void *member = option_member(base, option);
	switch (option->type) {
	case OPTION_STRING:
		g_free(*(char **)member);
		*(char **)member = g_strdup(text);
		return true;
	case OPTION_STRINGS:
		g_strfreev(*(char ***)member);
		*(char ***)member = g_strsplit(text, "\n", -1);
		return true;
	case OPTION_BOOL:
		return bool_parse(text, member, error);
	case OPTION_TRISTATE:
		if (strcmp(text, "auto") == 0) {
			*(int *)member = TRISTATE_AUTO;
			return true;
		}
		bool value;
		if (!bool_parse(text, &value, error))
			return false;
		*(int *)member = value ? TRISTATE_TRUE : TRISTATE_FALSE;
		return true;
	case OPTION_INT:
	case OPTION_DISK_SPACE:
		return int_parse(text, 10, member, error);
	case OPTION_DURATION:
		return duration_parse(text, member, error);
	case OPTION_LABELS:
	case OPTION_TABLE:
		break;
	}
	return true;
}

/* Replaces an owned text. */
static void set(char **member, char *owned)
{
	g_free(*member);
	*member = owned;
}

static void set_user_paths(struct config *config)
{
	g_autofree char *directory = user_paths_config_dir();
	config->user_paths = true;
	set(&config->path, g_build_filename(directory, "buildkitd.toml", NULL));
	set(&config->provenance_env_dir, g_build_filename(directory, "provenance.d", NULL));
	set(&config->root, user_paths_root());
	set((char **)(gsize)&config->oci.options.network.config_path, g_build_filename(directory, "cni.json", NULL));
	set((char **)(gsize)&config->containerd.options.network.config_path,
	    g_build_filename(directory, "cni.json", NULL));
	g_strfreev(config->addresses);
	config->addresses = g_new0(char *, 2);
	config->addresses[0] = user_paths_address();
}

static void set_defaults(struct config *config)
{
	*config = (struct config){0};
	config->inactive = g_ptr_array_new_with_free_func(g_free);
	config->warnings = g_ptr_array_new_with_free_func(g_free);
	for (size_t i = 0; i < options_count; i++) {
		const struct option *option = &options[i];
		if (option->offset == OPTION_INACTIVE)
			continue;
		if (option->type == OPTION_LABELS || option->type == OPTION_TABLE)
			*(GHashTable **)option_member(config, option) =
				g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
		else if (option->default_value)
			g_assert(option_set_text(config, option, option->default_value, NULL));
		else if (option->type == OPTION_STRING)
			option_set_text(config, option, "", NULL);
	}
	if (user_paths_wanted())
		set_user_paths(config);
}

static bool apply_flag(struct config *config, const struct option *option, const flags *f, GError **error)
{
	bool from_env = option->env && g_getenv(option->env) && *g_getenv(option->env);
	if (!option->flag || (!flags_given(f, option->flag) && !from_env))
		return true;
	if (option->offset == OPTION_INACTIVE) {
		if (option->type != OPTION_BOOL || flags_bool(f, option->flag)) /* no warning for =false */
			g_ptr_array_add(config->inactive, g_strdup_printf("--%s", option->flag));
		return true;
	}
	if (option->type == OPTION_LABELS) {
		GHashTable **labels = option_member(config, option);
		for (const char *const *pair = flags_strings(f, option->flag); *pair; pair++) {
			const char *equals = strchr(*pair, '=');
			if (equals)
				g_hash_table_replace(*labels, g_strndup(*pair, (gsize)(equals - *pair)),
						     g_strdup(equals + 1));
		}
		return true;
	}
	if (option->type == OPTION_STRINGS) {
		char ***member = option_member(config, option);
		g_strfreev(*member);
		*member = g_strdupv((char **)(uintptr_t)flags_strings(f, option->flag));
		return true;
	}
	return option_set_text(config, option, flags_string(f, option->flag), error) ||
	       error_prefix(error, "--%s: ", option->flag);
}

/* Parses "Reserved[,Free[,Maximum]]" in MB. flag is the flag's name for error texts. */
static bool apply_keep_storage(struct worker_config *w, const char *flag, GError **error)
{
	if (!*w->gc_keep_storage)
		return true;
	struct gc_options *gc = &w->options.gc;
	int64_t *members[] = {&gc->reserved_bytes, &gc->min_free_bytes, &gc->max_used_bytes};
	g_auto(GStrv) parts = g_strsplit(w->gc_keep_storage, ",", -1);
	for (size_t i = 0; parts[i]; i++) {
		int64_t mb;
		if (i >= G_N_ELEMENTS(members) || !int_parse(parts[i], 10, &mb, NULL) || mb < 0 ||
		    mb > INT64_MAX / 1000000)
			return error_set(error, ERROR_INVALID_ARGUMENT,
					 "--%s: invalid value \"%s\": expected MB as \"Reserved[,Free[,Maximum]]\"",
					 flag, w->gc_keep_storage);
		*members[i] = mb * 1000000;
	}
	return true;
}

int config_log_level(const struct config *config)
{
	static const char *const names[] = {"error", "warn", "info", "debug", "trace"};
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		if (strcmp(config->log_level, names[i]) == 0)
			return (int)i;
	if (strcmp(config->log_level, "panic") == 0 || strcmp(config->log_level, "fatal") == 0)
		return 0; /* no line has these levels: log errors */
	return strcmp(config->log_level, "warning") == 0 ? 1 : -1;
}

static bool check(const struct config *config, GError **error)
{
	if (config->oci.options.executor.no_process_sandbox && !config->oci.options.executor.rootless)
		return error_set(error, ERROR_INVALID_ARGUMENT, "can't enable NoProcessSandbox without Rootless");
	if (config->registry_concurrency <= 0)
		return error_set(error, ERROR_INVALID_ARGUMENT,
				 "maxRegistryConcurrency must be greater than zero; got %" G_GINT64_FORMAT,
				 config->registry_concurrency);
	if (!*config->tls_cert != !*config->tls_key)
		return error_set(error, ERROR_INVALID_ARGUMENT,
				 "you must specify key and cert file if one is specified");
	if (strcmp(config->log_format, "text") != 0 && strcmp(config->log_format, "json") != 0)
		return error_set(error, ERROR_INVALID_ARGUMENT, "unsupported log type \"%s\"", config->log_format);
	if (*config->log_level && config_log_level(config) < 0)
		return error_set(error, ERROR_INVALID_ARGUMENT,
				 "invalid log level \"%s\": must be error, warn, info, debug or trace",
				 config->log_level);
	if (config->drain_timeout_ns < 0)
		return error_set(error, ERROR_INVALID_ARGUMENT, "drainTimeout must not be negative");
	for (char **e = config->entitlements; e && *e; e++)
		if (strcmp(*e, "network.host") != 0 && strcmp(*e, "security.insecure") != 0 &&
		    strcmp(*e, "device") != 0)
			return error_set(error, ERROR_INVALID_ARGUMENT, "invalid entitlement : %s", *e);
	return true;
}

static bool apply_worker_rootless(bool *member, const flags *f, const char *flag, GError **error)
{
	if (!flags_given(f, flag))
		return true;
	if (!user_namespace_is_limited() || geteuid() > 0)
		return error_set(error, ERROR_PERMISSION_DENIED, CONFIG_NEEDS_USER_NAMESPACE);
	*member = flags_bool(f, flag);
	return true;
}

/* In a user namespace, rootless mode is the default, whatever the file says. */
static bool apply_rootless(struct config *config, const flags *f, GError **error)
{
	bool *oci = &config->oci.options.executor.rootless, *containerd = &config->containerd.options.executor.rootless;
	if (flags_given(f, "rootless") || user_namespace_is_limited())
		*oci = *containerd = flags_given(f, "rootless") ? config->rootless : true;
	return apply_worker_rootless(oci, f, "oci-worker-rootless", error) &&
	       apply_worker_rootless(containerd, f, "containerd-worker-rootless", error);
}

static bool apply_all(struct config *config, const flags *f, GError **error)
{
	if (flags_given(f, "config"))
		set(&config->path, g_strdup(flags_string(f, "config")));
	if (!config_file_load(config, config->path, error))
		return false;
	if (flags_given(f, "config") && !g_file_test(config->path, G_FILE_TEST_EXISTS))
		g_ptr_array_add(config->warnings,
				g_strdup_printf("--config: %s does not exist: the defaults are used", config->path));
	for (size_t i = 0; i < options_count; i++)
		if (!apply_flag(config, &options[i], f, error))
			return false;
	if (config->oci.options.executor.no_process_sandbox)
		g_ptr_array_add(
			config->warnings,
			g_strdup("NoProcessSandbox is enabled: steps can signal, and possibly trace, every process "
				 "of the daemon's user. Use it only in a container of an unprivileged user"));
	return apply_rootless(config, f, error) &&
	       apply_keep_storage(&config->oci, "oci-worker-gc-keepstorage", error) &&
	       apply_keep_storage(&config->containerd, "containerd-worker-gc-keepstorage", error) &&
	       check(config, error);
}

bool config_load(struct config *config, int argc, char **argv, bool *ret_done, GError **error)
{
	set_defaults(config);
	*ret_done = false;
	g_autoptr(GArray) table = options_flags();
	g_autoptr(flags) f =
		flags_parse((const struct flag *)(void *)table->data, table->len, argc, argv, false, error);
	if (!f)
		return false;
	*ret_done = flags_bool(f, "help") || flags_bool(f, "version");
	config->check = flags_bool(f, "check");
	if (flags_bool(f, "help")) {
		g_autofree char *rows = flags_help((const struct flag *)(void *)table->data, table->len);
		printf("NAME:\n   buildkitd - build daemon\n\nUSAGE:\n   buildkitd [global options]\n\nVERSION:\n   "
		       "%s\n\nGLOBAL OPTIONS:\n%s",
		       BUILDKIT_VERSION, rows);
	} else if (flags_bool(f, "version"))
		printf("buildkitd %s %s %s\n", BUILDKIT_PACKAGE, BUILDKIT_VERSION, BUILDKIT_REVISION);
	if (*ret_done)
		return true;
	if (flags_n_rest(f) > 0)
		return error_set(error, ERROR_INVALID_ARGUMENT, "unexpected argument \"%s\"", flags_rest(f)[0]);
	return apply_all(config, f, error);
}

static void hosts_free(struct registry_host *hosts, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		g_free((char *)(uintptr_t)hosts[i].host);
		g_strfreev((char **)(uintptr_t)hosts[i].mirrors);
		g_strfreev((char **)(uintptr_t)hosts[i].ca_files);
		g_strfreev((char **)(uintptr_t)hosts[i].key_files);
		g_strfreev((char **)(uintptr_t)hosts[i].cert_files);
		g_strfreev((char **)(uintptr_t)hosts[i].tls_config_dirs);
	}
	g_free(hosts);
}

void config_clear(struct config *config)
{
	for (size_t i = 0; i < options_count; i++) {
		if (options[i].offset == OPTION_INACTIVE)
			continue;
		void *member = option_member(config, &options[i]);
		if (options[i].type == OPTION_STRING)
			g_clear_pointer((char **)member, g_free);
		else if (options[i].type == OPTION_STRINGS)
			g_clear_pointer((char ***)member, g_strfreev);
		else if (options[i].type == OPTION_LABELS || options[i].type == OPTION_TABLE)
			g_clear_pointer((GHashTable **)member, g_hash_table_unref);
	}
	gc_rules_free(config->oci.options.gc.rules, config->oci.options.gc.n_rules);
	gc_rules_free(config->containerd.options.gc.rules, config->containerd.options.gc.n_rules);
	hosts_free(config->hosts, config->n_hosts);
	g_clear_pointer(&config->inactive, g_ptr_array_unref);
	g_clear_pointer(&config->warnings, g_ptr_array_unref);
}
