/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/dockerfile/mounts.h"
#include "format/csv.h"
#include "format/gotype.h"
#include "frontend/dockerfile/suggest.h"
#include "frontend/dockerfile/text.h"
#include <string.h>

static const char *const type_names[] = {"bind", "cache", "tmpfs", "secret", "ssh", NULL};
static const char *const sharing_names[] = {"shared", "private", "locked", NULL};
static const char *const access_keys[] = {"readonly", "ro", "readwrite", "rw", NULL};

struct field {
	const char *text, *key, *value; /* key in lower case; value NULL: not given */
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

static bool bad_value(const struct field *f, GError **error)
{
	return error_set(error, ERROR_INVALID_ARGUMENT, "invalid value for %s: %s", f->key, f->value);
}

/* Sets *ret to the index of the value. what: for the error. */
static bool set_name(arena *a, const struct field *f, const char *what, const char *const *names, int *ret,
		     GError **error)
{
	*ret = name_index(names, text_lower(a, f->value));
	if (*ret >= 0)
		return true;
	error_set(error, ERROR_INVALID_ARGUMENT, "unsupported %s %s", what, text_quote(a, f->value));
	suggest_to(error, f->value, names, true);
	return false;
}

static bool set_number(const struct field *f, int base, struct run_number *ret, GError **error)
{
	int64_t n;
	if (!*f->value || *f->value == '-' || *f->value == '+' || !int_parse(f->value, base, &n, NULL) || n < 0 ||
	    n > UINT32_MAX)
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid value %s for %s", f->value, f->key);
	*ret = (struct run_number){true, (uint32_t)n};
	return true;
}

enum key_type { KEY_TYPE, KEY_SHARING, KEY_TEXT, KEY_BOOL, KEY_WRITE, KEY_OCTAL, KEY_DECIMAL, KEY_SIZE };
enum { SECRET = 1 << RUN_MOUNT_SECRET, SSH = 1 << RUN_MOUNT_SSH, TMPFS = 1 << RUN_MOUNT_TMPFS };
#define KEY(name, type, member, mounts)                                                                                \
	{                                                                                                              \
		name, type, offsetof(struct run_mount, member), mounts                                                 \
	}
static const struct mount_key {
	const char *name;
	enum key_type type;
	size_t offset;
	unsigned mounts; /* set of the mount types that have it, 0: all */
} keys[] = {
	/* in the order of the suggestions */
	KEY("type", KEY_TYPE, type, 0),
	KEY("from", KEY_TEXT, from, 0),
	KEY("source", KEY_TEXT, source, 0),
	KEY("target", KEY_TEXT, target, 0),
	KEY("readonly", KEY_BOOL, readonly, 0),
	KEY("id", KEY_TEXT, id, 0),
	KEY("sharing", KEY_SHARING, sharing, 0),
	KEY("required", KEY_BOOL, required, SECRET | SSH),
	KEY("size", KEY_SIZE, size, TMPFS),
	KEY("mode", KEY_OCTAL, mode, 0),
	KEY("uid", KEY_DECIMAL, uid, 0),
	KEY("gid", KEY_DECIMAL, gid, 0),
	KEY("src", KEY_TEXT, source, 0),
	KEY("dst", KEY_TEXT, target, 0),
	KEY("destination", KEY_TEXT, target, 0),
	KEY("ro", KEY_BOOL, readonly, 0),
	KEY("rw", KEY_WRITE, readonly, 0),
	KEY("readwrite", KEY_WRITE, readonly, 0),
	KEY("env", KEY_TEXT, env, 0),
};

static bool set_value(arena *a, const struct mount_key *key, const struct field *f, struct run_mount *m, GError **error)
{
	void *member = (char *)m + key->offset;
	bool on = true;
	int index = 0;
	if (key->mounts && !(key->mounts & (1U << m->type)))
		return error_set(error, ERROR_INVALID_ARGUMENT, "unexpected key '%s' for mount type '%s'", f->key,
				 type_names[m->type]);
	switch (key->type) {
	case KEY_TYPE:
		if (!set_name(a, f, "mount type", type_names, &index, error))
			return false;
		m->type = (enum run_mount_type)index;
		return true;
	case KEY_SHARING:
		if (!set_name(a, f, "sharing value", sharing_names, &index, error))
			return false;
		m->sharing = (enum run_mount_sharing)(index + RUN_SHARING_SHARED);
		return true;
	case KEY_TEXT:
		*(const char **)member = f->value;
		return true;
	case KEY_BOOL:
	case KEY_WRITE:
		if (f->value && !bool_parse(f->value, &on, NULL))
			return bad_value(f, error);
		*(bool *)member = on != (key->type == KEY_WRITE);
		return true;
	case KEY_OCTAL:
		return set_number(f, 8, member, error);
	case KEY_DECIMAL:
		return set_number(f, 10, member, error);
	case KEY_SIZE:
		return size_parse(f->value, member, NULL) || bad_value(f, error);
	}
	return true;
}

static bool set_field(arena *a, const struct field *f, struct run_mount *m, GError **error)
{
	const char *names[G_N_ELEMENTS(keys) + 1] = {0};
	size_t i = 0;
	while (i < G_N_ELEMENTS(keys) && strcmp(keys[i].name, f->key) != 0) {
		names[i] = keys[i].name;
		i++;
	}
	bool known = i < G_N_ELEMENTS(keys);
	if (!f->value && (!known || (keys[i].type != KEY_BOOL && keys[i].type != KEY_WRITE)))
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid field '%s' must be a key=value pair", f->text);
	if (known)
		return set_value(a, &keys[i], f, m, error);
	error_set(error, ERROR_INVALID_ARGUMENT, "unexpected key '%s' in '%s'", f->key, f->text);
	suggest_to(error, f->key, names, true);
	return false;
}

static bool refuse_for_type(const struct run_mount *m, bool given, const char *what, GError **error)
{
	return !given || error_set(error, ERROR_INVALID_ARGUMENT, "%s not allowed for \"%s\" type mounts", what,
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
	    !(refuse_for_type(m, m->mode.given, "mode", error) && refuse_for_type(m, m->uid.given, "uid", error) &&
	      refuse_for_type(m, m->gid.given, "gid", error)))
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
	bool access_given = false;
	if (!fields)
		return false;
	*ret = (struct run_mount){.from = "", .source = "", .target = "", .id = ""};
	for (size_t i = 0; fields[i]; i++) {
		struct field f = field_of(a, fields[i]);
		if (f.value && !(f.value = expand(user, f.value, error)))
			return false;
		if (!set_field(a, &f, ret, error))
			return false;
		access_given = access_given || name_index(access_keys, f.key) >= 0;
	}
	if (!check_mount(ret, error))
		return false;
	if (!access_given)
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
