/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/dockerfile/mounts.h"
#include "format/csv.h"
#include "format/gotype.h"
#include "frontend/dockerfile/suggest.h"
#include "frontend/dockerfile/text.h"
#include <string.h>

static const char *const type_names[] = {"bind", "cache", "tmpfs", "secret", "ssh", NULL};
static const char *const sharing_names[] = {"shared", "private", "locked", NULL};

struct field {
	const char *text, *key, *value; /* key in lower case; value NULL: not given */
};
struct state {
	arena *a;
	struct run_mount *m;
	bool readonly_given;
};

static char **split(const char *text, GError **error)
{
	char **fields = csv_parse(text, error);
	if (!fields)
		g_prefix_error(error, "failed to parse csv mounts: ");
	return fields;
}

static struct field field_of(arena *a, const char *text)
{
	const char *equals = strchr(text, '=');
	struct field f = {.text = arena_strdup(a, text)};
	f.key = text_lower(a, arena_strndup(a, text, equals ? (size_t)(equals - text) : strlen(text)));
	f.value = equals ? arena_strdup(a, equals + 1) : NULL;
	return f;
}

static int name_index(const char *const *names, const char *value)
{
	for (int i = 0; names[i]; i++)
		if (strcmp(names[i], value) == 0)
			return i;
	return -1;
}

static bool needs_type(const struct state *s, const struct field *f, GError **error)
{
	return error_set(error, ERROR_INVALID_ARGUMENT, "unexpected key '%s' for mount type '%s'", f->key,
			 type_names[s->m->type]);
}

static bool bad_value(const struct field *f, GError **error)
{
	return error_set(error, ERROR_INVALID_ARGUMENT, "invalid value for %s: %s", f->key, f->value);
}

/* One function per key; a key without a value (NULL) is passed only to functions marked for it. */
static bool set_type(struct state *s, const struct field *f, GError **error)
{
	int type = name_index(type_names, text_lower(s->a, f->value));
	if (type >= 0) {
		s->m->type = (enum run_mount_type)type;
		return true;
	}
	g_autofree char *quoted = go_quote(f->value);
	error_set(error, ERROR_INVALID_ARGUMENT, "unsupported mount type %s", quoted);
	suggest_to(error, f->value, type_names, true);
	return false;
}

static bool set_sharing(struct state *s, const struct field *f, GError **error)
{
	int sharing = name_index(sharing_names, text_lower(s->a, f->value));
	if (sharing >= 0) {
		s->m->sharing = (enum run_mount_sharing)(sharing + RUN_SHARING_SHARED);
		return true;
	}
	g_autofree char *quoted = go_quote(f->value);
	error_set(error, ERROR_INVALID_ARGUMENT, "unsupported sharing value %s", quoted);
	suggest_to(error, f->value, sharing_names, true);
	return false;
}

static bool set_from(struct state *s, const struct field *f, GError **error)
{
	s->m->from = f->value;
	return true;
}

static bool set_source(struct state *s, const struct field *f, GError **error)
{
	s->m->source = f->value;
	return true;
}

static bool set_target(struct state *s, const struct field *f, GError **error)
{
	s->m->target = f->value;
	return true;
}

static bool set_id(struct state *s, const struct field *f, GError **error)
{
	s->m->id = f->value;
	return true;
}

static bool set_env(struct state *s, const struct field *f, GError **error)
{
	s->m->env = f->value;
	return true;
}

static bool set_access(struct state *s, const struct field *f, bool write, GError **error)
{
	bool on = true;
	if (f->value && !bool_parse(f->value, &on, NULL))
		return bad_value(f, error);
	s->m->readonly = on != write;
	s->readonly_given = true;
	return true;
}

static bool set_readonly(struct state *s, const struct field *f, GError **error)
{
	return set_access(s, f, false, error);
}

static bool set_readwrite(struct state *s, const struct field *f, GError **error)
{
	return set_access(s, f, true, error);
}

static bool set_required(struct state *s, const struct field *f, GError **error)
{
	if (s->m->type != RUN_MOUNT_SECRET && s->m->type != RUN_MOUNT_SSH)
		return needs_type(s, f, error);
	s->m->required = true;
	return !f->value || bool_parse(f->value, &s->m->required, NULL) || bad_value(f, error);
}

static bool set_size(struct state *s, const struct field *f, GError **error)
{
	if (s->m->type != RUN_MOUNT_TMPFS)
		return needs_type(s, f, error);
	return size_parse(f->value, &s->m->size, NULL) || bad_value(f, error);
}

static bool set_number(const struct field *f, int base, bool *ret_has, uint32_t *ret, GError **error)
{
	int64_t n;
	if (!*f->value || *f->value == '-' || *f->value == '+' || !int_parse(f->value, base, &n, NULL) || n < 0 ||
	    n > UINT32_MAX)
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid value %s for %s", f->value, f->key);
	*ret_has = true;
	*ret = (uint32_t)n;
	return true;
}

static bool set_mode(struct state *s, const struct field *f, GError **error)
{
	return set_number(f, 8, &s->m->has_mode, &s->m->mode, error);
}

static bool set_uid(struct state *s, const struct field *f, GError **error)
{
	return set_number(f, 10, &s->m->has_uid, &s->m->uid, error);
}

static bool set_gid(struct state *s, const struct field *f, GError **error)
{
	return set_number(f, 10, &s->m->has_gid, &s->m->gid, error);
}

static const struct {
	const char *key;
	bool (*set)(struct state *s, const struct field *f, GError **error);
	bool bare; /* value may be missing */
} keys[] = {
	{"type", set_type, false},       {"from", set_from, false},        {"source", set_source, false},
	{"target", set_target, false},   {"readonly", set_readonly, true}, {"id", set_id, false},
	{"sharing", set_sharing, false}, {"required", set_required, true}, {"size", set_size, false},
	{"mode", set_mode, false},       {"uid", set_uid, false},          {"gid", set_gid, false},
	{"src", set_source, false},      {"dst", set_target, false},       {"destination", set_target, false},
	{"ro", set_readonly, true},      {"rw", set_readwrite, true},      {"readwrite", set_readwrite, true},
	{"env", set_env, false},
};

static bool unexpected(const struct field *f, GError **error)
{
	const char *names[G_N_ELEMENTS(keys) + 1] = {0};
	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
		names[i] = keys[i].key;
	error_set(error, ERROR_INVALID_ARGUMENT, "unexpected key '%s' in '%s'", f->key, f->text);
	suggest_to(error, f->key, names, true);
	return false;
}

static bool set_field(struct state *s, const struct field *f, GError **error)
{
	size_t i = 0;
	while (i < G_N_ELEMENTS(keys) && strcmp(keys[i].key, f->key) != 0)
		i++;
	if (!f->value && (i == G_N_ELEMENTS(keys) || !keys[i].bare))
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid field '%s' must be a key=value pair", f->text);
	return i == G_N_ELEMENTS(keys) ? unexpected(f, error) : keys[i].set(s, f, error);
}

static bool refuse_for_type(const struct run_mount *m, bool given, const char *what, GError **error)
{
	if (!given)
		return true;
	return error_set(error, ERROR_INVALID_ARGUMENT, "%s not allowed for \"%s\" type mounts", what,
			 type_names[m->type]);
}

static bool check_secret(const struct run_mount *m, GError **error)
{
	if (*m->from)
		return error_set(error, ERROR_INVALID_ARGUMENT, "secret mount should not have a from");
	if (m->sharing)
		return error_set(error, ERROR_INVALID_ARGUMENT, "secret mount should not define sharing");
	if (!*m->source && !*m->target && !*m->id)
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid secret mount. one of source, target required");
	if (*m->source && *m->id)
		return error_set(error, ERROR_INVALID_ARGUMENT, "both source and id can't be set");
	return true;
}

static bool check_mount(const struct run_mount *m, GError **error)
{
	if ((m->type == RUN_MOUNT_BIND || m->type == RUN_MOUNT_TMPFS) &&
	    !(refuse_for_type(m, m->has_mode, "mode", error) && refuse_for_type(m, m->has_uid, "uid", error) &&
	      refuse_for_type(m, m->has_gid, "gid", error)))
		return false;
	if (m->type == RUN_MOUNT_SECRET && !check_secret(m, error))
		return false;
	if (m->sharing && m->type != RUN_MOUNT_CACHE)
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid cache sharing set for %s mount",
				 type_names[m->type]);
	return true;
}

bool mount_parse(arena *a, const char *text, mount_expand expand, void *user, struct run_mount *ret, GError **error)
{
	g_auto(GStrv) fields = split(text, error);
	if (!fields)
		return false;
	*ret = (struct run_mount){.from = "", .source = "", .target = "", .id = ""};
	struct state s = {a, ret, false};
	for (size_t i = 0; fields[i]; i++) {
		struct field f = field_of(a, fields[i]);
		if (f.value && !(f.value = expand(user, f.value, error)))
			return false;
		if (!set_field(&s, &f, error))
			return false;
	}
	if (!check_mount(ret, error))
		return false;
	if (!s.readonly_given)
		ret->readonly = ret->type != RUN_MOUNT_CACHE && ret->type != RUN_MOUNT_TMPFS;
	return true;
}

bool mounts_check(arena *a, const struct vec *texts, GError **error)
{
	for (size_t n = 0; n < texts->n; n++) {
		g_auto(GStrv) fields = split(texts->items[n], error);
		if (!fields)
			return false;
		for (size_t i = 0; fields[i]; i++) {
			struct field f = field_of(a, fields[i]);
			const char *dollar = f.value && strcmp(f.key, "from") == 0 ? strchr(f.value, '$') : NULL;
			if (dollar && dollar[1])
				return error_set(
					error, ERROR_INVALID_ARGUMENT,
					"'from' doesn't support variable expansion, define alias stage instead");
		}
	}
	return true;
}

const char *mount_from(arena *a, const char *text)
{
	g_auto(GStrv) fields = csv_parse(text, NULL);
	const char *from = "";
	for (size_t i = 0; fields && fields[i]; i++) {
		struct field f = field_of(a, fields[i]);
		if (f.value && strcmp(f.key, "from") == 0)
			from = f.value;
	}
	return from;
}
