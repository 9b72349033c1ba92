/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/challenge.h"
#include "base/hash_walk.h"
#include "base/text.h"
#include <string.h>

#define HEADER_BYTES_MAX 8192

static bool is_token_char(char c)
{
	return g_ascii_isalnum(c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static const char *skip_space(const char *p)
{
	while (*p == ' ' || *p == '\t')
		p++;
	return p;
}

static char *token_read(const char **p)
{
	const char *begin = *p;
	while (is_token_char(**p))
		(*p)++;
	return *p > begin ? g_strndup(begin, (gsize)(*p - begin)) : NULL;
}

/*
 * Parses a token or a quoted string with backslash escapes; NULL if unterminated, or empty where a token is required.
 */
static char *value_read(const char **p)
{
	if (**p != '"')
		return token_read(p);
	g_autoptr(GString) text = g_string_new(NULL);
	for ((*p)++; **p && **p != '"'; (*p)++) {
		if (**p == '\\' && (*p)[1])
			(*p)++;
		if ((unsigned char)**p < 0x20) /* values must not add a line break to a header */
			return NULL;
		g_string_append_c(text, **p);
	}
	if (**p != '"')
		return NULL;
	(*p)++;
	return g_string_free(g_steal_pointer(&text), FALSE);
}

static void parameter_set(struct challenge *c, const char *name, char *value)
{
	char **slot = g_ascii_strcasecmp(name, "realm") == 0     ? &c->realm
		      : g_ascii_strcasecmp(name, "service") == 0 ? &c->service
		      : g_ascii_strcasecmp(name, "scope") == 0   ? &c->scope
		      : g_ascii_strcasecmp(name, "error") == 0   ? &c->error
								 : NULL;
	if (!slot) {
		g_free(value);
		return;
	}
	g_free(*slot);
	*slot = value;
}

/* Parses name=value, ... until the next text is not a parameter (the next scheme), where *p is left. */
static void parameters_read(const char **p, struct challenge *c)
{
	for (;;) {
		const char *at = skip_space(*p);
		while (*at == ',')
			at = skip_space(at + 1);
		g_autofree char *name = token_read(&at);
		at = skip_space(at);
		if (!name || *at != '=')
			return;
		at = skip_space(at + 1);
		char *value = value_read(&at);
		if (!value)
			return;
		parameter_set(c, name, value);
		*p = at;
	}
}

void challenge_clear(struct challenge *c)
{
	g_clear_pointer(&c->realm, g_free);
	g_clear_pointer(&c->service, g_free);
	g_clear_pointer(&c->scope, g_free);
	g_clear_pointer(&c->error, g_free);
}

bool challenge_parse(const char *header, struct challenge *ret)
{
	if (strlen(header) > HEADER_BYTES_MAX)
		return false;
	for (const char *p = header; *p;) {
		p = skip_space(p);
		while (*p == ',')
			p = skip_space(p + 1);
		g_autofree char *scheme = token_read(&p);
		if (!scheme)
			return false;
		struct challenge c = {
			.realm = g_strdup(""), .service = g_strdup(""), .scope = g_strdup(""), .error = g_strdup("")};
		parameters_read(&p, &c);
		bool is_bearer = g_ascii_strcasecmp(scheme, "bearer") == 0;
		if (is_bearer || g_ascii_strcasecmp(scheme, "basic") == 0) {
			c.scheme = is_bearer ? CHALLENGE_BEARER : CHALLENGE_BASIC;
			*ret = c;
			return true;
		}
		challenge_clear(&c);
		while (*p && *p != ',') /* a token68 or an unknown form */
			p++;
	}
	return false;
}

/* ---- scopes */

static void scope_add(GHashTable *by_name, const char *scope)
{
	const char *first = strchr(scope, ':');
	const char *second = first ? strchr(first + 1, ':') : NULL;
	const char *end = second ? second : scope + strlen(scope);
	if (first && first + 1 == end && !second)
		end = first; /* a name without a resource ends up as "name:" */
	g_autofree char *name = g_strndup(scope, (gsize)(end - scope));
	GHashTable *actions = g_hash_table_lookup(by_name, name);
	if (!actions) {
		actions = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
		g_hash_table_insert(by_name, g_steal_pointer(&name), actions);
	}
	g_auto(GStrv) list = g_strsplit(second ? second + 1 : "", ",", -1);
	for (char **action = list; *action; action++)
		if (**action)
			g_hash_table_add(actions, g_strdup(*action));
}

static GPtrArray *sorted_keys(GHashTable *table)
{
	GPtrArray *keys = g_ptr_array_new();
	for (struct hash_walk it = hash_walk(table); hash_walk_next(&it);)
		g_ptr_array_add(keys, it.key);
	g_ptr_array_sort(keys, text_order);
	return keys;
}

static GHashTable *scopes_table(const char *const *scopes)
{
	GHashTable *by_name =
		g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_hash_table_unref);
	for (; scopes && *scopes; scopes++) {
		g_auto(GStrv) list = g_strsplit(*scopes, " ", -1);
		for (char **scope = list; *scope; scope++)
			if (**scope)
				scope_add(by_name, *scope);
	}
	return by_name;
}

bool scopes_contain(const char *scopes, const char *wanted)
{
	const char *const have_list[] = {scopes, NULL}, *const want_list[] = {wanted, NULL};
	g_autoptr(GHashTable) have = scopes_table(have_list);
	g_autoptr(GHashTable) want = scopes_table(want_list);
	for (struct hash_walk it = hash_walk(want); hash_walk_next(&it);) {
		GHashTable *known = g_hash_table_lookup(have, it.key);
		if (!known)
			return false;
		for (struct hash_walk action = hash_walk(it.value); hash_walk_next(&action);)
			if (!g_hash_table_contains(known, action.key))
				return false;
	}
	return true;
}

char **scopes_merge(const char *const *scopes)
{
	g_autoptr(GHashTable) by_name = scopes_table(scopes);
	g_autoptr(GPtrArray) names = sorted_keys(by_name);
	GPtrArray *out = g_ptr_array_new();
	for (guint i = 0; i < names->len; i++) {
		const char *name = g_ptr_array_index(names, i);
		g_autoptr(GPtrArray) actions = sorted_keys(g_hash_table_lookup(by_name, name));
		g_ptr_array_add(actions, NULL);
		g_autofree char *joined = g_strjoinv(",", (char **)actions->pdata);
		g_ptr_array_add(out, g_strconcat(name, ":", joined, NULL));
	}
	g_ptr_array_add(out, NULL);
	return (char **)g_ptr_array_free(out, FALSE);
}
