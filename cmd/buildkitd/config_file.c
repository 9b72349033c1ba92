/* SPDX-License-Identifier: Apache-2.0 */
#include "config_file.h"
#include "base/time.h"
#include "config_keys.h"
#include "base/log.h"
#include "base/scope.h"
#include "format/gotype.h"
#include "format/toml.h"
#include "os/service.h"
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_BYTES (4 * 1024 * 1024)
#define MB_OR_BYTES 1000000 /* gckeepstorage: numbers below this are MB */

struct reader {
	struct config *config;
	const char *path;
	GError **error;
};

static bool fail(struct reader *r, const struct toml_value *v, const char *key, const char *problem)
{
	return error_set(r->error, ERROR_INVALID_ARGUMENT, "%s:%d:%d: %s: %s", r->path, v->line, v->column, key,
			 problem);
}

static const char *article(const char *word)
{
	return strchr("aeio", *word) ? "an" : "a";
}

static bool fail_type(struct reader *r, const struct toml_value *v, const char *key, const char *wanted)
{
	const char *found = toml_type_name(v->type);
	g_autofree char *problem =
		g_strdup_printf("expected %s %s, found %s %s", article(wanted), wanted, article(found), found);
	return fail(r, v, key, problem);
}

/*
 * Looks up a dotted path whose parts may contain dots ("frontend.dockerfile.v0.enabled" is
 * frontend."dockerfile.v0".enabled).
 */
static const struct toml_value *find(const struct toml_value *table, const char *key)
{
	const struct toml_value *direct = toml_find(table, key);
	if (direct)
		return direct;
	for (const char *dot = strchr(key, '.'); dot; dot = strchr(dot + 1, '.')) {
		g_autofree char *part = g_strndup(key, (gsize)(dot - key));
		const struct toml_value *inner = toml_find(table, part);
		const struct toml_value *found = inner && inner->type == TOML_TABLE ? find(inner, dot + 1) : NULL;
		if (found)
			return found;
	}
	return NULL;
}

static char **strings(struct reader *r, const struct toml_value *v, const char *key)
{
	if (v->type != TOML_ARRAY) {
		fail_type(r, v, key, "list of strings");
		return NULL;
	}
	g_auto(GStrv) list = g_new0(char *, v->items->len + 1);
	for (guint i = 0; i < v->items->len; i++) {
		const struct toml_value *item = v->items->pdata[i];
		if (item->type != TOML_STRING) {
			fail_type(r, item, key, "string");
			return NULL;
		}
		list[i] = g_strdup(item->text);
	}
	return g_steal_pointer(&list);
}

/* Rounds as upstream: whole GiB plus one, counted as GB; 2 GB when the size is unknown. */
static int64_t disk_percent(const char *root, int64_t percent)
{
	int64_t total = 0, free_bytes = 0;
	scoped_fd fd = open(g_file_test(root, G_FILE_TEST_IS_DIR) ? root : "/", O_PATH | O_CLOEXEC);
	if (fd < 0 || !disk_space(fd, &total, &free_bytes, NULL) || total == 0)
		return 2000000000;
	return (total / 100 * percent / (1LL << 30) + 1) * 1000000000LL;
}

static bool disk_space_value(struct reader *r, const struct toml_value *v, const char *key, int64_t *ret)
{
	if (v->type == TOML_INTEGER) {
		*ret = v->integer;
		return true;
	}
	if (v->type != TOML_STRING)
		return fail_type(r, v, key, "size");
	if (g_str_has_suffix(v->text, "%")) {
		g_autofree char *number = g_strndup(v->text, strlen(v->text) - 1);
		int64_t percent;
		if (!int_parse(number, 10, &percent, NULL) || percent < 0 || percent > 100)
			return fail(r, v, key, "invalid percentage");
		*ret = disk_percent(r->config->root, percent);
		return true;
	}
	g_autoptr(GError) problem = NULL;
	return size_parse(v->text, ret, &problem) || fail(r, v, key, problem->message);
}

static bool duration_value(struct reader *r, const struct toml_value *v, const char *key, int64_t *ret)
{
	if (v->type == TOML_INTEGER) {
		*ret = v->integer * NS_PER_S;
		return true;
	}
	g_autoptr(GError) problem = NULL;
	if (v->type != TOML_STRING)
		return fail_type(r, v, key, "duration");
	return duration_parse(v->text, ret, &problem) || fail(r, v, key, problem->message);
}

static bool set_labels(struct reader *r, const struct toml_value *v, const char *key, GHashTable *labels)
{
	if (v->type != TOML_TABLE)
		return fail_type(r, v, key, "table");
	for (guint i = 0; i < v->items->len; i++) {
		const struct toml_value *item = v->items->pdata[i];
		if (item->type != TOML_STRING)
			return fail_type(r, item, key, "string");
		g_hash_table_replace(labels, g_strdup(v->keys->pdata[i]), g_strdup(item->text));
	}
	return true;
}

static bool set_table(struct reader *r, const struct toml_value *v, const char *key, GHashTable *table)
{
	if (v->type != TOML_TABLE)
		return fail_type(r, v, key, "table");
	for (guint i = 0; i < v->items->len; i++) {
		const struct toml_value *item = v->items->pdata[i];
		char *text = NULL;
		if (item->type == TOML_STRING)
			text = g_strdup(item->text);
		else if (item->type == TOML_BOOLEAN)
			text = g_strdup(item->boolean ? "true" : "false");
		else if (item->type == TOML_INTEGER)
			text = g_strdup_printf("%" G_GINT64_FORMAT, item->integer);
		if (!text)
			return fail_type(r, item, key, "string, number or boolean");
		g_hash_table_replace(table, g_strdup(v->keys->pdata[i]), text);
	}
	return true;
}

static bool set_option(struct reader *r, const struct option *option, void *base, const struct toml_value *v)
{
	bool asks_nothing = v->type == TOML_BOOLEAN && !v->boolean;
	if (option->offset == OPTION_INACTIVE) {
		if (!asks_nothing)
			g_ptr_array_add(r->config->inactive, g_strdup(option->key));
		return true;
	}
	void *member = option_member(base, option);
	switch (option->type) {
	case OPTION_STRING:
		if (v->type != TOML_STRING)
			return fail_type(r, v, option->key, "string");
		return option_set_text(base, option, v->text, r->error);
	case OPTION_STRINGS:
		g_strfreev(*(char ***)member);
		*(char ***)member = strings(r, v, option->key);
		return *(char ***)member != NULL;
	case OPTION_BOOL:
	case OPTION_TRISTATE:
		if (v->type != TOML_BOOLEAN)
			return fail_type(r, v, option->key, "boolean");
		return option_set_text(base, option, v->boolean ? "true" : "false", r->error);
	case OPTION_INT:
		if (v->type != TOML_INTEGER)
			return fail_type(r, v, option->key, "integer");
		*(int64_t *)member = v->integer;
		return true;
	case OPTION_DISK_SPACE:
		return disk_space_value(r, v, option->key, member);
	case OPTION_DURATION:
		return duration_value(r, v, option->key, member);
	case OPTION_LABELS:
		return set_labels(r, v, option->key, *(GHashTable **)member);
	case OPTION_TABLE:
		return set_table(r, v, option->key, *(GHashTable **)member);
	}
	return true;
}

/* Reads the keys of one table. A row whose key is missing leaves its member unchanged. */
static bool set_options(struct reader *r, const struct option *rows, size_t n, void *base,
			const struct toml_value *table)
{
	for (size_t i = 0; i < n; i++) {
		const struct toml_value *v = rows[i].key ? find(table, rows[i].key) : NULL;
		if (v && !set_option(r, &rows[i], base, v))
			return false;
	}
	return true;
}

static bool read_gc(struct reader *r, const struct toml_value *worker_table, struct gc_options *gc)
{
	const struct toml_value *list = toml_find(worker_table, "gcpolicy");
	if (!list)
		return true;
	if (list->type != TOML_ARRAY)
		return fail_type(r, list, "gcpolicy", "list of tables");
	gc->rules = g_new0(struct gc_rule, list->items->len + 1);
	for (; gc->n_rules < list->items->len; gc->n_rules++) {
		const struct toml_value *table = list->items->pdata[gc->n_rules];
		if (table->type != TOML_TABLE)
			return fail_type(r, table, "gcpolicy", "table");
		if (!set_options(r, gc_options, gc_options_count, &gc->rules[gc->n_rules], table))
			return false;
	}
	return true;
}

/* gckeepstorage is the oldest name of reservedSpace; plain numbers were MB in early versions. */
static bool read_keep_storage(struct reader *r, const struct toml_value *worker_table, struct gc_options *gc)
{
	const struct toml_value *v = toml_find(worker_table, "gckeepstorage");
	if (!v || gc->reserved_bytes >= 0 || gc->max_used_bytes >= 0 || gc->min_free_bytes >= 0)
		return true;
	if (!disk_space_value(r, v, "gckeepstorage", &gc->reserved_bytes))
		return false;
	bool mb = v->type == TOML_INTEGER && v->integer < MB_OR_BYTES;
	if (mb)
		gc->reserved_bytes *= 1000000;
	g_autofree char *size = size_format(gc->reserved_bytes);
	log_info("gckeepstorage: interpreted as %s%s", size, mb ? " (numbers below 1000000 are in MB)" : "");
	return true;
}

static bool read_worker(struct reader *r, const struct toml_value *root, const char *key, struct worker_config *w)
{
	const struct toml_value *table = find(root, key);
	return !table || (read_gc(r, table, &w->options.gc) && read_keep_storage(r, table, &w->options.gc));
}

static bool read_key_pairs(struct reader *r, const struct toml_value *table, struct registry_host *host)
{
	const struct toml_value *list = toml_find(table, "keypair");
	if (!list)
		return true;
	if (list->type != TOML_ARRAY)
		return fail_type(r, list, "keypair", "list of tables");
	char **keys = g_new0(char *, list->items->len + 1), **certs = g_new0(char *, list->items->len + 1);
	host->key_files = (const char *const *)keys;
	host->cert_files = (const char *const *)certs;
	for (guint i = 0; i < list->items->len; i++) {
		const struct toml_value *key = toml_find(list->items->pdata[i], "key");
		const struct toml_value *cert = toml_find(list->items->pdata[i], "cert");
		if (!key || !cert || key->type != TOML_STRING || cert->type != TOML_STRING)
			return fail(r, list->items->pdata[i], "keypair", "needs the strings key and cert");
		keys[i] = g_strdup(key->text);
		certs[i] = g_strdup(cert->text);
	}
	return true;
}

static bool read_registries(struct reader *r, const struct toml_value *root)
{
	const struct toml_value *all = toml_find(root, "registry");
	if (!all)
		return true;
	if (all->type != TOML_TABLE)
		return fail_type(r, all, "registry", "table");
	r->config->hosts = g_new0(struct registry_host, all->items->len + 1);
	for (guint i = 0; i < all->items->len; i++) {
		const struct toml_value *table = all->items->pdata[i];
		struct registry_host *host = &r->config->hosts[r->config->n_hosts++];
		host->host = g_strdup(all->keys->pdata[i]);
		if (table->type != TOML_TABLE)
			return fail_type(r, table, "registry", "table");
		host->http = host->insecure = TRISTATE_AUTO;
		if (!set_options(r, registry_options, registry_options_count, host, table) ||
		    !read_key_pairs(r, table, host))
			return false;
	}
	return true;
}

bool config_file_load(struct config *config, const char *path, GError **error)
{
	struct stat st;
	if (stat(path, &st) < 0 && errno == ENOENT)
		return true;
	if (S_ISREG(st.st_mode) && st.st_size > FILE_BYTES)
		return error_set(error, ERROR_INVALID_ARGUMENT, "%s: larger than %d bytes", path, FILE_BYTES);
	g_autofree char *bytes = NULL;
	gsize n = 0;
	if (!g_file_get_contents(path, &bytes, &n, error))
		return error_prefix(error, "failed to load config from %s: ", path);
	g_autoptr(toml) t = toml_parse(bytes, n, error);
	if (!t)
		return error_prefix(error, "failed to load config from %s: ", path);
	struct reader r = {.config = config, .path = path, .error = error};
	config_keys_check(toml_root(t), path, config->warnings);
	return set_options(&r, options, options_count, config, toml_root(t)) &&
	       read_worker(&r, toml_root(t), "worker.oci", &config->oci) &&
	       read_worker(&r, toml_root(t), "worker.containerd", &config->containerd) &&
	       read_registries(&r, toml_root(t));
}
