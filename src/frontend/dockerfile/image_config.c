/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/dockerfile/image_config.h"
#include "base/limits.h"
#include "base/text.h"
#include "format/gotype.h"
#include "format/json_writer.h"
#include "oci/oci.h"
#include <string.h>

/* --- reading --- */

static bool wrong_type(const char *name, GError **error)
{
	return error_set(error, ERROR_INVALID_ARGUMENT, "member \"%s\" has a wrong type", name);
}

static bool read_text(arena *a, const json_t *object, const char *name, const char **ret, GError **error)
{
	const json_t *v = json_member_any_case(object, name);
	if (!v || json_is_null(v))
		return true;
	if (!json_is_string(v))
		return wrong_type(name, error);
	*ret = arena_strdup(a, json_string_value(v));
	return true;
}

static bool read_list(arena *a, const json_t *object, const char *name, struct vec *ret, GError **error)
{
	const json_t *v = json_member_any_case(object, name);
	if (!v || json_is_null(v))
		return true;
	if (!json_is_array(v))
		return wrong_type(name, error);
	for (size_t i = 0; i < json_array_size(v); i++) {
		const json_t *item = json_array_get(v, i);
		if (!json_is_string(item))
			return wrong_type(name, error);
		arena_push(a, ret, arena_strdup(a, json_string_value(item)));
	}
	return true;
}

static bool read_set(arena *a, const json_t *object, const char *name, struct vec *ret, GError **error)
{
	const json_t *v = json_member_any_case(object, name);
	if (!v || json_is_null(v))
		return true;
	if (!json_is_object(v))
		return wrong_type(name, error);
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)v, key, value)
		arena_push(a, ret, arena_strdup(a, key)); /* keys of an object: no duplicates */
	return true;
}

static bool read_labels(arena *a, const json_t *object, struct image_config *c, GError **error)
{
	const json_t *v = json_member_any_case(object, "Labels");
	if (!v || json_is_null(v))
		return true;
	if (!json_is_object(v))
		return wrong_type("Labels", error);
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)v, key, value)
	{
		if (!json_is_string(value))
			return wrong_type("Labels", error);
		image_config_label_set(a, c, arena_strdup(a, key), arena_strdup(a, json_string_value(value)));
	}
	return true;
}

static int64_t number(const json_t *object, const char *name)
{
	return json_integer_value(json_member_any_case(object, name));
}

static bool read_health(arena *a, const json_t *object, struct image_config *c, GError **error)
{
	const json_t *v = json_member_any_case(object, "Healthcheck");
	if (!v || json_is_null(v))
		return true;
	struct healthcheck *h = arena_make(a, struct healthcheck);
	struct vec test = {0};
	if (!json_is_object(v) || !read_list(a, v, "Test", &test, error))
		return error && *error ? false : wrong_type("Healthcheck", error);
	h->test = arena_strv(a, &test);
	h->interval_ns = number(v, "Interval");
	h->timeout_ns = number(v, "Timeout");
	h->start_period_ns = number(v, "StartPeriod");
	h->start_interval_ns = number(v, "StartInterval");
	h->retries = (int)number(v, "Retries");
	c->health = h;
	return true;
}

static bool read_config(arena *a, const json_t *config, struct image_config *c, GError **error)
{
	if (!config || json_is_null(config))
		return true;
	if (!json_is_object(config))
		return wrong_type("config", error);
	c->args_escaped = json_is_true(json_member_any_case(config, "ArgsEscaped"));
	return read_text(a, config, "User", &c->user, error) && read_set(a, config, "ExposedPorts", &c->ports, error) &&
	       read_list(a, config, "Env", &c->env, error) &&
	       read_list(a, config, "Entrypoint", &c->entrypoint, error) &&
	       read_list(a, config, "Cmd", &c->cmd, error) && read_set(a, config, "Volumes", &c->volumes, error) &&
	       read_text(a, config, "WorkingDir", &c->working_dir, error) && read_labels(a, config, c, error) &&
	       read_text(a, config, "StopSignal", &c->stop_signal, error) && read_health(a, config, c, error) &&
	       read_list(a, config, "OnBuild", &c->on_build, error) && read_list(a, config, "Shell", &c->shell, error);
}

static void history_add(struct image_config *c, struct history *h)
{
	h->before = c->last;
	c->last = h;
	c->n_history++;
}

static bool read_history(arena *a, const json_t *root, struct image_config *c, GError **error)
{
	const json_t *list = json_member_any_case(root, "history");
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *entry = json_array_get(list, i);
		struct history *h = arena_make(a, struct history);
		h->empty_layer = json_is_true(json_member_any_case(entry, "empty_layer"));
		if (!read_text(a, entry, "created", &h->created, error) ||
		    !read_text(a, entry, "created_by", &h->created_by, error) ||
		    !read_text(a, entry, "author", &h->author, error) ||
		    !read_text(a, entry, "comment", &h->comment, error))
			return false;
		int64_t ns;
		if (h->created && !time_parse_rfc3339(h->created, &ns, error))
			return false;
		history_add(c, h);
	}
	return true;
}

struct image_config *image_config_read(arena *a, const void *bytes, size_t n, GError **error)
{
	g_autoptr(json_t) root = json_read(bytes, n, (size_t)LIMIT_CONFIG_BYTES, "image config", error);
	if (!root)
		return NULL;
	struct image_config *c = arena_make(a, struct image_config);
	c->architecture = c->os = c->os_version = c->variant = c->rootfs_type = "";
	c->user = c->working_dir = c->stop_signal = "";
	const json_t *rootfs = json_member_any_case(root, "rootfs");
	if (!json_is_object(root)) {
		wrong_type("image config", error);
		return NULL;
	}
	bool ok = read_text(a, root, "created", &c->created, error) &&
		  read_text(a, root, "author", &c->author, error) &&
		  read_text(a, root, "architecture", &c->architecture, error) &&
		  read_text(a, root, "os", &c->os, error) && read_text(a, root, "os.version", &c->os_version, error) &&
		  read_list(a, root, "os.features", &c->os_features, error) &&
		  read_text(a, root, "variant", &c->variant, error) &&
		  read_text(a, rootfs, "type", &c->rootfs_type, error) &&
		  read_list(a, rootfs, "diff_ids", &c->diff_ids, error) &&
		  read_config(a, json_member_any_case(root, "config"), c, error) && read_history(a, root, c, error);
	return ok ? c : NULL;
}

struct image_config *image_config_scratch(arena *a, const struct platform *p)
{
	struct image_config *c = arena_make(a, struct image_config);
	c->architecture = arena_strdup(a, p->architecture);
	c->os = arena_strdup(a, p->os);
	c->os_version = arena_strdup(a, p->os_version);
	c->variant = arena_strdup(a, p->variant);
	for (char *const *f = p->os_features; f && *f; f++)
		arena_push(a, &c->os_features, arena_strdup(a, *f));
	c->rootfs_type = "layers";
	c->working_dir = "/";
	c->user = c->stop_signal = "";
	if (strcmp(p->os, "windows") != 0)
		image_config_env_set(a, c, "PATH", OCI_DEFAULT_PATH);
	return c;
}

static void copy_vec(arena *a, struct vec *v)
{
	struct vec copy = {0};
	for (size_t i = 0; i < v->n; i++)
		arena_push(a, &copy, v->items[i]);
	*v = copy;
}

struct image_config *image_config_copy(arena *a, const struct image_config *from)
{
	struct image_config *c = arena_make(a, struct image_config);
	*c = *from;
	struct vec *lists[] = {&c->os_features, &c->diff_ids,   &c->env, &c->ports,    &c->volumes,
			       &c->labels,      &c->entrypoint, &c->cmd, &c->on_build, &c->shell};
	for (size_t i = 0; i < G_N_ELEMENTS(lists); i++)
		copy_vec(a, lists[i]);
	return c;
}

size_t image_config_weight(const struct image_config *c)
{
	return (c->diff_ids.n + c->env.n + c->ports.n + c->volumes.n + c->labels.n + c->on_build.n) * sizeof(void *);
}

/* --- changing --- */

static size_t env_find(const struct image_config *c, const char *key)
{
	size_t n = strlen(key);
	for (size_t i = 0; i < c->env.n; i++) {
		const char *entry = c->env.items[i];
		if (strncmp(entry, key, n) == 0 && (entry[n] == '=' || !entry[n]))
			return i;
	}
	return SIZE_MAX;
}

const char *image_config_env_get(arena *a, const struct image_config *c, const char *key)
{
	size_t i = env_find(c, key);
	if (i == SIZE_MAX)
		return NULL;
	const char *equals = strchr(c->env.items[i], '=');
	return equals ? equals + 1 : "";
}

void image_config_env_set(arena *a, struct image_config *c, const char *key, const char *value)
{
	char *entry = arena_printf(a, "%s=%s", key, value);
	size_t i = env_find(c, key);
	if (i == SIZE_MAX)
		arena_push(a, &c->env, entry);
	else
		c->env.items[i] = entry;
}

/* Appends only: if a key occurs several times, the last entry is written. */
void image_config_label_set(arena *a, struct image_config *c, const char *key, const char *value)
{
	struct pair *pair = arena_make(a, struct pair);
	*pair = (struct pair){key, value, false, ""};
	arena_push(a, &c->labels, pair);
}

void image_config_set_add(arena *a, struct vec *set, const char *key)
{
	if (!vec_has(set, key))
		arena_push(a, set, key);
}

void image_config_history(arena *a, struct image_config *c, const char *created_by, bool layer, const char *created)
{
	struct history *h = arena_make(a, struct history);
	*h = (struct history){.created = created,
			      .created_by = created_by,
			      .comment = "buildkit.dockerfile.v0",
			      .empty_layer = !layer};
	history_add(c, h);
}

bool image_config_has_layers(const struct image_config *c)
{
	if (c->diff_ids.n)
		return true;
	for (const struct history *h = c->last; h; h = h->before)
		if (!h->empty_layer)
			return true;
	return false;
}

struct platform *image_config_platform(arena *a, const struct image_config *c)
{
	struct platform *p = arena_make(a, struct platform);
	g_strlcpy(p->os, c->os, sizeof p->os);
	g_strlcpy(p->architecture, c->architecture, sizeof p->architecture);
	g_strlcpy(p->variant, c->variant, sizeof p->variant);
	g_strlcpy(p->os_version, c->os_version, sizeof p->os_version);
	if (c->os_features.n)
		p->os_features = (char *const *)arena_strv(a, &c->os_features);
	return p;
}

bool image_config_fits(const struct image_config *c, const struct platform *p)
{
	return strcmp(c->os, p->os) == 0 && strcmp(c->architecture, p->architecture) == 0;
}

/* --- writing --- */

static void write_set(json_writer *w, const char *key, const struct vec *set)
{
	if (!set->n)
		return;
	g_autofree void **sorted = g_memdup2(set->items, set->n * sizeof *set->items);
	qsort(sorted, set->n, sizeof *sorted, text_order);
	json_object_member_begin(w, key);
	for (size_t i = 0; i < set->n; i++) {
		json_object_member_begin(w, sorted[i]);
		json_object_end(w);
	}
	json_object_end(w);
}

static void write_labels(json_writer *w, const struct vec *labels)
{
	g_autoptr(GHashTable) last = g_hash_table_new(g_str_hash, g_str_equal);
	for (size_t i = 0; i < labels->n; i++) {
		const struct pair *pair = labels->items[i];
		g_hash_table_replace(last, (char *)pair->key, (char *)pair->value);
	}
	json_put_map_member_nonempty(w, "Labels", last);
}

static void write_health(json_writer *w, const struct healthcheck *h)
{
	if (!h)
		return;
	json_object_member_begin(w, "Healthcheck");
	json_put_strings_member_nonempty(w, "Test", (char *const *)h->test,
					 h->test ? g_strv_length((char **)h->test) : 0);
	json_put_int_member_nonzero(w, "Interval", h->interval_ns);
	json_put_int_member_nonzero(w, "Timeout", h->timeout_ns);
	json_put_int_member_nonzero(w, "StartPeriod", h->start_period_ns);
	json_put_int_member_nonzero(w, "StartInterval", h->start_interval_ns);
	json_put_int_member_nonzero(w, "Retries", h->retries);
	json_object_end(w);
}

static void write_config(json_writer *w, const struct image_config *c)
{
	json_object_member_begin(w, "config");
	json_put_string_member_nonempty(w, "User", c->user);
	write_set(w, "ExposedPorts", &c->ports);
	json_put_strings_member_nonempty(w, "Env", (char *const *)c->env.items, c->env.n);
	json_put_strings_member_nonempty(w, "Entrypoint", (char *const *)c->entrypoint.items, c->entrypoint.n);
	json_put_strings_member_nonempty(w, "Cmd", (char *const *)c->cmd.items, c->cmd.n);
	write_set(w, "Volumes", &c->volumes);
	json_put_string_member_nonempty(w, "WorkingDir", c->working_dir);
	write_labels(w, &c->labels);
	json_put_string_member_nonempty(w, "StopSignal", c->stop_signal);
	json_put_bool_member_true(w, "ArgsEscaped", c->args_escaped);
	write_health(w, c->health);
	json_put_strings_member_nonempty(w, "OnBuild", (char *const *)c->on_build.items, c->on_build.n);
	json_put_strings_member_nonempty(w, "Shell", (char *const *)c->shell.items, c->shell.n);
	json_object_end(w);
}

static void write_history(json_writer *w, const struct image_config *c)
{
	if (!c->n_history)
		return;
	g_autofree const struct history **list = g_new(const struct history *, c->n_history);
	size_t n = c->n_history;
	for (const struct history *h = c->last; h; h = h->before)
		list[--n] = h;
	json_array_member_begin(w, "history");
	for (size_t i = 0; i < c->n_history; i++) {
		const struct history *h = list[i];
		json_object_begin(w);
		json_put_string_member_nonempty(w, "created", h->created);
		json_put_string_member_nonempty(w, "created_by", h->created_by);
		json_put_string_member_nonempty(w, "author", h->author);
		json_put_string_member_nonempty(w, "comment", h->comment);
		json_put_bool_member_true(w, "empty_layer", h->empty_layer);
		json_object_end(w);
	}
	json_array_end(w);
}

GBytes *image_config_write(const struct image_config *c)
{
	g_autoptr(json_writer) w = json_writer_new(0);
	json_object_begin(w);
	json_put_string_member_nonempty(w, "created", c->created);
	json_put_string_member_nonempty(w, "author", c->author);
	json_put_string_member(w, "architecture", c->architecture);
	json_put_string_member(w, "os", c->os);
	json_put_string_member_nonempty(w, "os.version", c->os_version);
	json_put_strings_member_nonempty(w, "os.features", (char *const *)c->os_features.items, c->os_features.n);
	json_put_string_member_nonempty(w, "variant", c->variant);
	json_object_member_begin(w, "rootfs");
	json_put_string_member(w, "type", c->rootfs_type);
	json_key(w, "diff_ids");
	json_put_strings_or_null(w, (char *const *)c->diff_ids.items, c->diff_ids.n);
	json_object_end(w);
	write_history(w, c);
	write_config(w, c);
	json_object_end(w);
	size_t n;
	char *json = json_writer_take(&w, &n);
	return g_bytes_new_take(json, n);
}
