/* SPDX-License-Identifier: Apache-2.0 */
#include "cdi/spec.h"
#include "base/hash_walk.h"
#include "base/limits.h"
#include "cdi/bounds.h"
#include "cdi/libyaml.h"
#include "base/scope.h"
#include <string.h>

#define ANNOTATION_BYTES (256 << 10)
#define ANNOTATION_NAME 63
#define TIMEOUT_MAX 86400

/* Versions of the specification, and what they added is accepted in any of them. */
static const char *const versions[] = {"0.1.0", "0.2.0", "0.3.0", "0.4.0", "0.5.0", "0.6.0",
				       "0.7.0", "0.8.0", "1.0.0", "1.1.0", NULL};
static const char *const hook_names[] = {
	"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop", NULL};

struct reader {
	yaml_document_t *document;
	size_t elements;
};

static bool bad(const yaml_node_t *node, GError **error, const char *format, ...) G_GNUC_PRINTF(3, 4);
static bool bad(const yaml_node_t *node, GError **error, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	g_autofree char *text = g_strdup_vprintf(format, args);
	va_end(args);
	return error_set(error, ERROR_INVALID_ARGUMENT, "line %zu: %s", node->start_mark.line + 1, text);
}

static yaml_node_t *node_at(struct reader *r, int index)
{
	return libyaml.document_get_node(r->document, index);
}

static const char *node_text(const yaml_node_t *node)
{
	return (const char *)node->data.scalar.value;
}

/* A plain scalar means null, a boolean or a number by its text. */
static bool is_plain(const yaml_node_t *node)
{
	return node->type == YAML_SCALAR_NODE && node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

static bool is_null(const yaml_node_t *node)
{
	const char *text = node_text(node);
	return is_plain(node) && (!*text || strcmp(text, "~") == 0 || g_ascii_strcasecmp(text, "null") == 0);
}

/* ---- values */

typedef bool (*read_fn)(struct reader *r, const yaml_node_t *node, void *to, GError **error);

static bool read_text(struct reader *r, const yaml_node_t *node, void *to, GError **error)
{
	if (node->type != YAML_SCALAR_NODE)
		return bad(node, error, "a text is expected");
	if (memchr(node_text(node), '\0', node->data.scalar.length))
		return bad(node, error, "a text with a NUL byte");
	g_free(*(char **)to);
	*(char **)to = g_strdup(node_text(node));
	return true;
}

static bool read_int(struct reader *r, const yaml_node_t *node, void *to, GError **error)
{
	if (!is_plain(node))
		return bad(node, error, "a number is expected");
	const char *text = node_text(node);
	bool octal = g_str_has_prefix(text, "0o");
	char *end = NULL;
	errno = 0;
	gint64 value = g_ascii_strtoll(text + (octal ? 2 : 0), &end, octal ? 8 : 0);
	if (errno != 0 || end == text || *end)
		return bad(node, error, "%s is not a number", text);
	*(int64_t *)to = value;
	return true;
}

static bool read_id(struct reader *r, const yaml_node_t *node, void *to, GError **error)
{
	int64_t value;
	if (!read_int(r, node, &value, error))
		return false;
	if (value < 0 || value > G_MAXUINT32)
		return bad(node, error, "%" G_GINT64_FORMAT " is out of range", value);
	*(int64_t *)to = value;
	return true;
}

static bool read_bool(struct reader *r, const yaml_node_t *node, void *to, GError **error)
{
	if (!is_plain(node) || (strcmp(node_text(node), "true") != 0 && strcmp(node_text(node), "false") != 0))
		return bad(node, error, "true or false is expected");
	*(bool *)to = node_text(node)[0] == 't';
	return true;
}

/* Calls one(r, element, to) for each element. */
static bool read_list(struct reader *r, const yaml_node_t *node, read_fn one, void *to, GError **error)
{
	if (node->type != YAML_SEQUENCE_NODE)
		return bad(node, error, "a list is expected");
	for (yaml_node_item_t *i = node->data.sequence.items.start; i < node->data.sequence.items.top; i++) {
		if (++r->elements > LIMIT_CDI_ELEMENTS)
			return bad(node, error, "more than %lld elements", LIMIT_CDI_ELEMENTS);
		if (!one(r, node_at(r, *i), to, error))
			return false;
	}
	return true;
}

static bool add_text(struct reader *r, const yaml_node_t *node, void *to, GError **error)
{
	char *text = NULL;
	if (!read_text(r, node, &text, error))
		return false;
	g_ptr_array_add(to, text);
	return true;
}

static bool read_texts(struct reader *r, const yaml_node_t *node, void *to, GError **error)
{
	return read_list(r, node, add_text, *(GPtrArray **)to, error);
}

struct field {
	const char *key;
	read_fn read;
	size_t offset;
};

/* fields: ends with a NULL key. */
static bool read_mapping(struct reader *r, const yaml_node_t *node, const struct field *fields, void *to,
			 GError **error)
{
	uint32_t seen = 0;
	if (node->type != YAML_MAPPING_NODE)
		return bad(node, error, "an object is expected");
	for (yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top; p++) {
		const yaml_node_t *key = node_at(r, p->key), *value = node_at(r, p->value);
		size_t i = 0;
		while (key->type == YAML_SCALAR_NODE && fields[i].key && strcmp(fields[i].key, node_text(key)) != 0)
			i++;
		if (key->type != YAML_SCALAR_NODE || !fields[i].key)
			return bad(key, error, "unknown member %s",
				   key->type == YAML_SCALAR_NODE ? node_text(key) : "that is not a text");
		if ((seen & 1u << i) != 0)
			return bad(key, error, "member %s appears twice", fields[i].key);
		seen |= 1u << i;
		if (!is_null(value) && !fields[i].read(r, value, (char *)to + fields[i].offset, error))
			return error_prefix(error, "%s: ", fields[i].key);
	}
	return true;
}

static bool is_name_char(char c)
{
	return g_ascii_isalnum(c) || strchr("-_.", c);
}

/* Kubernetes' rule for the names of annotations: "prefix/name" or "name". */
static bool annotation_name_valid(const char *name)
{
	const char *slash = strchr(name, '/');
	const char *last = slash ? slash + 1 : name;
	size_t n = strlen(last);
	if (slash == name || n == 0 || n > ANNOTATION_NAME || !g_ascii_isalnum(last[0]) ||
	    !g_ascii_isalnum(last[n - 1]))
		return false;
	for (const char *c = name; *c; c++)
		if (c != slash && !is_name_char(*c))
			return false;
	return true;
}

/* The value of a boolean is its usual text. */
static bool read_annotations(struct reader *r, const yaml_node_t *node, void *to, GError **error)
{
	GHashTable *table = *(GHashTable **)to;
	size_t bytes = 0;
	if (node->type != YAML_MAPPING_NODE)
		return bad(node, error, "an object is expected");
	for (yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top; p++) {
		g_autofree char *key = NULL, *value = NULL;
		if (!read_text(r, node_at(r, p->key), &key, error) ||
		    !read_text(r, node_at(r, p->value), &value, error))
			return false;
		if (!annotation_name_valid(key))
			return bad(node_at(r, p->key), error, "invalid name of an annotation: %s", key);
		bytes += strlen(key) + strlen(value);
		g_hash_table_replace(table, g_steal_pointer(&key), g_steal_pointer(&value));
	}
	return bytes <= ANNOTATION_BYTES || bad(node, error, "more than %d bytes", ANNOTATION_BYTES);
}

/* ---- edits */

static bool check_env(const GPtrArray *env, const yaml_node_t *node, GError **error)
{
	for (guint i = 0; i < env->len; i++) {
		const char *equals = strchr(env->pdata[i], '=');
		if (!equals || equals == env->pdata[i])
			return bad(node, error, "invalid environment variable \"%s\"", (char *)env->pdata[i]);
	}
	return true;
}

static bool read_env(struct reader *r, const yaml_node_t *node, void *to, GError **error)
{
	return read_texts(r, node, to, error) && check_env(*(GPtrArray **)to, node, error);
}

static void node_clear(void *data)
{
	struct cdi_node *n = data;
	g_free(n->path);
	g_free(n->host_path);
	g_free(n->type);
	g_free(n->permissions);
}

static bool add_node(struct reader *r, const yaml_node_t *node, void *to, GError **error)
{
#define F(key, read, member)                                                                                           \
	{                                                                                                              \
		key, read, offsetof(struct cdi_node, member)                                                           \
	}
	static const struct field fields[] = {
		F("path", read_text, path),
		F("hostPath", read_text, host_path),
		F("type", read_text, type),
		F("major", read_id, major),
		F("minor", read_id, minor),
		F("fileMode", read_id, mode),
		F("permissions", read_text, permissions),
		F("uid", read_id, uid),
		F("gid", read_id, gid),
		{NULL},
	};
#undef F
	struct cdi_node n = {.type = g_strdup(""), .permissions = g_strdup(""), .mode = -1, .uid = -1, .gid = -1};
	bool ok = read_mapping(r, node, fields, &n, error);
	g_array_append_val(to, n);
	if (!ok)
		return false;
	if (!n.path || n.path[0] != '/' || (n.host_path && n.host_path[0] != '/'))
		return bad(node, error, "the path of a device node must be absolute");
	if (*n.type && (n.type[1] || !strchr("bcup", n.type[0])))
		return bad(node, error, "device %s: invalid type \"%s\"", n.path, n.type);
	if (n.permissions[strspn(n.permissions, "rwm")])
		return bad(node, error, "device %s: invalid permissions \"%s\"", n.path, n.permissions);
	return n.mode <= 07777 || bad(node, error, "device %s: invalid mode", n.path);
}

static bool read_nodes(struct reader *r, const yaml_node_t *node, void *to, GError **error)
{
	return read_list(r, node, add_node, *(GArray **)to, error);
}

static void mount_clear(void *data)
{
	struct cdi_mount *m = data;
	g_free(m->host_path);
	g_free(m->path);
	g_free(m->type);
	g_ptr_array_unref(m->options);
}

static bool add_mount(struct reader *r, const yaml_node_t *node, void *to, GError **error)
{
#define F(key, read, member)                                                                                           \
	{                                                                                                              \
		key, read, offsetof(struct cdi_mount, member)                                                          \
	}
	static const struct field fields[] = {
		F("hostPath", read_text, host_path),
		F("containerPath", read_text, path),
		F("type", read_text, type),
		F("options", read_texts, options),
		{NULL},
	};
#undef F
	struct cdi_mount m = {.type = g_strdup(""), .options = g_ptr_array_new_with_free_func(g_free)};
	bool ok = read_mapping(r, node, fields, &m, error);
	g_array_append_val(to, m);
	if (!ok)
		return false;
	if (!m.host_path || !*m.host_path)
		return bad(node, error, "invalid mount, empty host path");
	return (m.path && m.path[0] == '/') || bad(node, error, "the container path of a mount must be absolute");
}

static bool read_mounts(struct reader *r, const yaml_node_t *node, void *to, GError **error)
{
	return read_list(r, node, add_mount, *(GArray **)to, error);
}

static void hook_clear(void *data)
{
	struct cdi_hook *h = data;
	g_free(h->name);
	g_free(h->path);
	g_ptr_array_unref(h->args);
	g_ptr_array_unref(h->env);
}

static bool add_hook(struct reader *r, const yaml_node_t *node, void *to, GError **error)
{
#define F(key, read, member)                                                                                           \
	{                                                                                                              \
		key, read, offsetof(struct cdi_hook, member)                                                           \
	}
	static const struct field fields[] = {
		F("hookName", read_text, name), F("path", read_text, path),     F("args", read_texts, args),
		F("env", read_env, env),        F("timeout", read_id, timeout), {NULL},
	};
#undef F
	struct cdi_hook h = {
		.args = g_ptr_array_new_with_free_func(g_free),
		.env = g_ptr_array_new_with_free_func(g_free),
		.timeout = -1,
	};
	bool ok = read_mapping(r, node, fields, &h, error);
	g_array_append_val(to, h);
	if (!ok)
		return false;
	if (!h.name || !g_strv_contains(hook_names, h.name))
		return bad(node, error, "invalid hook name \"%s\"", h.name ? h.name : "");
	if (!h.path || h.path[0] != '/')
		return bad(node, error, "hook %s: the path must be absolute", h.name);
	g_ptr_array_add(h.args, NULL);
	g_ptr_array_add(h.env, NULL);
	return h.timeout <= TIMEOUT_MAX || bad(node, error, "hook %s: invalid timeout", h.name);
}

static bool read_hooks(struct reader *r, const yaml_node_t *node, void *to, GError **error)
{
	return read_list(r, node, add_hook, *(GArray **)to, error);
}

static bool add_group(struct reader *r, const yaml_node_t *node, void *to, GError **error)
{
	int64_t id;
	if (!read_id(r, node, &id, error))
		return false;
	uint32_t group = (uint32_t)id;
	if (group != 0)
		g_array_append_val(to, group);
	return true;
}

static bool read_groups(struct reader *r, const yaml_node_t *node, void *to, GError **error)
{
	return read_list(r, node, add_group, *(GArray **)to, error);
}

static bool read_rdt(struct reader *r, const yaml_node_t *node, void *to, GError **error)
{
	struct rdt {
		char *class_id, *l3, *bandwidth;
		GPtrArray *schemata;
		bool monitoring;
	} rdt = {.schemata = g_ptr_array_new_with_free_func(g_free)};
	static const struct field fields[] = {
		{"closID", read_text, offsetof(struct rdt, class_id)},
		{"l3CacheSchema", read_text, offsetof(struct rdt, l3)},
		{"memBwSchema", read_text, offsetof(struct rdt, bandwidth)},
		{"schemata", read_texts, offsetof(struct rdt, schemata)},
		{"enableMonitoring", read_bool, offsetof(struct rdt, monitoring)},
		{NULL},
	};
	bool ok = read_mapping(r, node, fields, &rdt, error);
	g_free(rdt.class_id);
	g_free(rdt.l3);
	g_free(rdt.bandwidth);
	g_ptr_array_unref(rdt.schemata);
	*(bool *)to = true;
	return ok;
}

static bool check_interface(struct reader *r, const yaml_node_t *node, void *to, GError **error)
{
	struct interface {
		char *host, *name;
	} i = {0};
	static const struct field fields[] = {
		{"hostInterfaceName", read_text, offsetof(struct interface, host)},
		{"name", read_text, offsetof(struct interface, name)},
		{NULL},
	};
	bool ok = read_mapping(r, node, fields, &i, error) &&
		  ((i.host && *i.host && i.name && *i.name) ||
		   bad(node, error, "a network interface needs hostInterfaceName and name"));
	g_free(i.host);
	g_free(i.name);
	*(bool *)to = true;
	return ok;
}

static bool read_interfaces(struct reader *r, const yaml_node_t *node, void *to, GError **error)
{
	return read_list(r, node, check_interface, to, error);
}

static void edits_init(struct cdi_edits *e)
{
	*e = (struct cdi_edits){
		.env = g_ptr_array_new_with_free_func(g_free),
		.nodes = g_array_new(FALSE, TRUE, sizeof(struct cdi_node)),
		.mounts = g_array_new(FALSE, TRUE, sizeof(struct cdi_mount)),
		.hooks = g_array_new(FALSE, TRUE, sizeof(struct cdi_hook)),
		.groups = g_array_new(FALSE, FALSE, sizeof(uint32_t)),
	};
	g_array_set_clear_func(e->nodes, node_clear);
	g_array_set_clear_func(e->mounts, mount_clear);
	g_array_set_clear_func(e->hooks, hook_clear);
}

static void edits_clear(struct cdi_edits *e)
{
	g_ptr_array_unref(e->env);
	g_array_unref(e->nodes);
	g_array_unref(e->mounts);
	g_array_unref(e->hooks);
	g_array_unref(e->groups);
}

static bool edits_are_empty(const struct cdi_edits *e)
{
	return e->env->len + e->nodes->len + e->mounts->len + e->hooks->len + e->groups->len == 0 && !e->has_rdt &&
	       !e->has_net;
}

static bool read_edits(struct reader *r, const yaml_node_t *node, void *to, GError **error)
{
#define F(key, read, member)                                                                                           \
	{                                                                                                              \
		key, read, offsetof(struct cdi_edits, member)                                                          \
	}
	static const struct field fields[] = {
		F("env", read_env, env),
		F("deviceNodes", read_nodes, nodes),
		F("netDevices", read_interfaces, has_net),
		F("hooks", read_hooks, hooks),
		F("mounts", read_mounts, mounts),
		F("intelRdt", read_rdt, has_rdt),
		F("additionalGids", read_groups, groups),
		{NULL},
	};
#undef F
	return read_mapping(r, node, fields, to, error);
}

/* ---- devices and the file */

static GHashTable *annotations_new(void)
{
	return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
}

static void device_free(void *data)
{
	struct cdi_device *d = data;
	g_free(d->name);
	g_free(d->full_name);
	g_hash_table_unref(d->annotations);
	edits_clear(&d->edits);
	g_free(d);
}

/* The names of vendors and classes begin with a letter, those of devices may begin with a digit and have colons. */
static bool name_valid(const char *name, bool device)
{
	size_t n = strlen(name);
	if (n == 0 || !(device ? g_ascii_isalnum(name[0]) : g_ascii_isalpha(name[0])) || !g_ascii_isalnum(name[n - 1]))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!is_name_char(name[i]) && !(device && name[i] == ':'))
			return false;
	return true;
}

static bool add_device(struct reader *r, const yaml_node_t *node, void *to, GError **error)
{
#define F(key, read, member)                                                                                           \
	{                                                                                                              \
		key, read, offsetof(struct cdi_device, member)                                                         \
	}
	static const struct field fields[] = {
		F("name", read_text, name),
		F("annotations", read_annotations, annotations),
		F("containerEdits", read_edits, edits),
		{NULL},
	};
#undef F
	struct cdi_device *d = g_new0(struct cdi_device, 1);
	d->annotations = annotations_new();
	edits_init(&d->edits);
	g_ptr_array_add(to, d);
	if (!read_mapping(r, node, fields, d, error))
		return false;
	if (!d->name || !name_valid(d->name, true))
		return bad(node, error, "invalid name of a device: \"%s\"", d->name ? d->name : "");
	return !edits_are_empty(&d->edits) || bad(node, error, "invalid device %s, empty device edits", d->name);
}

static bool read_devices(struct reader *r, const yaml_node_t *node, void *to, GError **error)
{
	return read_list(r, node, add_device, *(GPtrArray **)to, error);
}

static bool read_version(struct reader *r, const yaml_node_t *node, void *to, GError **error)
{
	g_autofree char *text = NULL;
	if (!read_text(r, node, &text, error))
		return false;
	const char *number = text + (text[0] == 'v');
	return g_strv_contains(versions, number) || bad(node, error, "unknown version %s", text);
}

static bool kind_valid(const char *kind)
{
	const char *slash = kind ? strchr(kind, '/') : NULL;
	if (!slash)
		return false;
	g_autofree char *vendor = g_strndup(kind, (gsize)(slash - kind));
	return name_valid(vendor, false) && name_valid(slash + 1, false);
}

/* Completes names and annotations of the devices. */
static bool finish(cdi_spec *spec, const yaml_node_t *root, GError **error)
{
	if (!kind_valid(spec->kind))
		return bad(root, error, "invalid kind \"%s\"", spec->kind ? spec->kind : "");
	g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);
	for (guint i = 0; i < spec->devices->len; i++) {
		struct cdi_device *d = spec->devices->pdata[i];
		if (!g_hash_table_add(names, d->name))
			return bad(root, error, "invalid spec, multiple device \"%s\"", d->name);
		d->full_name = g_strconcat(spec->kind, "=", d->name, NULL);
		for (struct hash_walk it = hash_walk(spec->annotations); hash_walk_next(&it);)
			if (!g_hash_table_contains(d->annotations, it.key))
				g_hash_table_insert(d->annotations, g_strdup(it.key), g_strdup(it.value));
	}
	return true;
}

static bool read_root(yaml_document_t *document, cdi_spec *spec, GError **error)
{
#define F(key, read, member)                                                                                           \
	{                                                                                                              \
		key, read, offsetof(cdi_spec, member)                                                                  \
	}
	static const struct field fields[] = {
		{"cdiVersion", read_version, 0},
		F("kind", read_text, kind),
		F("annotations", read_annotations, annotations),
		F("devices", read_devices, devices),
		F("containerEdits", read_edits, edits),
		{NULL},
	};
#undef F
	struct reader r = {.document = document};
	const yaml_node_t *root = libyaml.document_get_root_node(document);
	if (!root)
		return error_set(error, ERROR_INVALID_ARGUMENT, "the file is empty");
	bool has_version = false;
	for (yaml_node_pair_t *p = root->type == YAML_MAPPING_NODE ? root->data.mapping.pairs.start : NULL;
	     p && p < root->data.mapping.pairs.top; p++) {
		const yaml_node_t *key = node_at(&r, p->key);
		has_version |= key->type == YAML_SCALAR_NODE && strcmp(node_text(key), "cdiVersion") == 0;
	}
	if (!has_version)
		return bad(root, error, "cdiVersion is missing");
	return read_mapping(&r, root, fields, spec, error) && finish(spec, root, error);
}

cdi_spec *cdi_spec_ref(cdi_spec *spec)
{
	g_atomic_int_inc(&spec->refs);
	return spec;
}

void cdi_spec_unref(cdi_spec *spec)
{
	if (!spec || !g_atomic_int_dec_and_test(&spec->refs))
		return;
	g_free(spec->kind);
	g_hash_table_unref(spec->annotations);
	g_ptr_array_unref(spec->devices);
	edits_clear(&spec->edits);
	g_free(spec);
}

cdi_spec *cdi_spec_parse(const void *bytes, size_t n, GError **error)
{
	yaml_parser_t parser;
	yaml_document_t document;
	if (!libyaml_load(error) || !cdi_bounds_check(bytes, n, error))
		return NULL;
	if (!libyaml.parser_initialize(&parser))
		return error_null(error, ERROR_RESOURCE_EXHAUSTED, "cannot allocate memory");
	g_autoptr(cdi_spec) spec = g_new0(cdi_spec, 1);
	spec->refs = 1;
	spec->annotations = annotations_new();
	spec->devices = g_ptr_array_new_with_free_func(device_free);
	edits_init(&spec->edits);
	libyaml.parser_set_input_string(&parser, bytes, n);
	bool ok = libyaml.parser_load(&parser, &document);
	if (ok) {
		ok = read_root(&document, spec, error);
		libyaml.document_delete(&document);
	} else {
		error_set(error, ERROR_INVALID_ARGUMENT, "line %zu: %s", parser.problem_mark.line + 1,
			  parser.problem ? parser.problem : "invalid YAML");
	}
	libyaml.parser_delete(&parser);
	return ok ? g_steal_pointer(&spec) : NULL;
}
