/* SPDX-License-Identifier: Apache-2.0 */
#include "config_keys.h"
#include "options.h"
#include <string.h>

#define WARNINGS_MAX 20
#define KEY_BYTES_MAX 64 /* longer keys are not compared */

/* "*" matches one part of any name; a key that ends with ".**" matches all keys below it. */
static const char *const structured[] = {
	"worker.oci.gckeepstorage",
	"worker.containerd.gckeepstorage",
	"registry.*.keypair.key",
	"registry.*.keypair.cert",
};

struct check {
	const char *path;
	GPtrArray *known; /* element type: char * */
	GPtrArray *warnings;
	guint n;
};

static void add_rows(GPtrArray *known, const char *prefix, const struct option *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		bool table = rows[i].type == OPTION_LABELS || rows[i].type == OPTION_TABLE;
		if (rows[i].key)
			g_ptr_array_add(known, g_strconcat(prefix, rows[i].key, table ? ".**" : "", NULL));
	}
}

static GPtrArray *known_keys(void)
{
	GPtrArray *known = g_ptr_array_new_with_free_func(g_free);
	add_rows(known, "", options, options_count);
	add_rows(known, "worker.oci.gcpolicy.", gc_options, gc_options_count);
	add_rows(known, "worker.containerd.gcpolicy.", gc_options, gc_options_count);
	add_rows(known, "registry.*.", registry_options, registry_options_count);
	for (size_t i = 0; i < G_N_ELEMENTS(structured); i++)
		g_ptr_array_add(known, g_strdup(structured[i]));
	return known;
}

/*
 * Reports whether a known key matches a path or, with whole = false, is a prefix of it. "*" matches any one part, also
 * a quoted one.
 */
static bool key_matches(const char *known, const char *const *parts, guint n, bool whole)
{
	for (guint i = 0; i < n; i++) {
		if (g_str_has_prefix(known, "**"))
			return true;
		size_t len = *known == '*' ? 1 : strlen(parts[i]);
		if (*known != '*' && strncmp(known, parts[i], len) != 0)
			return false;
		known += len;
		if (*known == '.')
			known++;
		else if (*known != '\0' || i + 1 < n)
			return false;
	}
	return !whole || *known == '\0' || strcmp(known, "**") == 0;
}

static bool is_known(const struct check *c, const char *const *parts, guint n, bool whole)
{
	for (guint i = 0; i < c->known->len; i++)
		if (key_matches(c->known->pdata[i], parts, n, whole))
			return true;
	return false;
}

/* Returns the edit distance: the number of letters to insert, remove or replace. */
static guint distance(const char *a, const char *b)
{
	guint n = (guint)strlen(b), row[KEY_BYTES_MAX + 1];
	for (guint j = 0; j <= n; j++)
		row[j] = j;
	for (guint i = 1; a[i - 1]; i++) {
		guint diagonal = row[0];
		row[0] = i;
		for (guint j = 1; j <= n; j++) {
			guint above = row[j];
			guint change = diagonal + (g_ascii_tolower(a[i - 1]) != g_ascii_tolower(b[j - 1]));
			row[j] = MIN(change, MIN(row[j - 1], above) + 1);
			diagonal = above;
		}
	}
	return row[n];
}

/* Returns the most similar known key of the same table, or NULL if none is similar. */
static char *nearest(const struct check *c, const char *const *parts, guint n)
{
	char *best = NULL;
	const char *wrong = parts[n - 1];
	guint best_distance = (guint)strlen(wrong) / 3 + 1;
	if (strlen(wrong) > KEY_BYTES_MAX)
		return NULL;
	for (guint i = 0; i < c->known->len; i++) {
		g_auto(GStrv) known = g_strsplit(c->known->pdata[i], ".", -1);
		guint n_known = g_strv_length(known);
		if (n_known < n || strlen(known[n - 1]) > KEY_BYTES_MAX || *known[n - 1] == '*')
			continue;
		g_autofree const char **above = g_memdup2(parts, n * sizeof *parts);
		above[n - 1] = known[n - 1];
		guint d = key_matches(c->known->pdata[i], above, n, false) ? distance(wrong, known[n - 1]) : G_MAXUINT;
		if (d > best_distance || (best && d == best_distance))
			continue;
		best_distance = d;
		g_free(best);
		best = g_strdup(known[n - 1]);
	}
	return best;
}

static void warn(struct check *c, const struct toml_value *v, const char *const *parts, guint n)
{
	g_autofree char *key = g_strjoinv(".", (char **)(uintptr_t)parts);
	g_autofree char *like = nearest(c, parts, n);
	if (++c->n > WARNINGS_MAX)
		return;
	g_ptr_array_add(c->warnings,
			like ? g_strdup_printf("%s:%d: unknown key \"%s\" is ignored: did you mean \"%s\"?", c->path,
					       v->line, key, like)
			     : g_strdup_printf("%s:%d: unknown key \"%s\" is ignored", c->path, v->line, key));
}

static void walk(struct check *c, const struct toml_value *v, GPtrArray *parts);

/* A value at the path: a table, a list of tables, or a scalar. */
static void walk_member(struct check *c, const struct toml_value *v, GPtrArray *parts)
{
	guint n = parts->len;
	const char *const *list = (const char *const *)parts->pdata;
	bool inner = is_known(c, list, n, false), whole = is_known(c, list, n, true);
	if (!inner) {
		g_ptr_array_add(parts, NULL); /* ends the list */
		warn(c, v, (const char *const *)parts->pdata, n);
		g_ptr_array_set_size(parts, (gint)n);
	} else if (v->type == TOML_TABLE) {
		walk(c, v, parts);
	} else if (v->type == TOML_ARRAY && !whole) {
		for (guint i = 0; i < v->items->len; i++)
			if (((const struct toml_value *)v->items->pdata[i])->type == TOML_TABLE)
				walk(c, v->items->pdata[i], parts);
	}
}

static void walk(struct check *c, const struct toml_value *v, GPtrArray *parts)
{
	for (guint i = 0; i < v->items->len; i++) {
		g_ptr_array_add(parts, v->keys->pdata[i]);
		walk_member(c, v->items->pdata[i], parts);
		g_ptr_array_set_size(parts, (gint)parts->len - 1);
	}
}

void config_keys_check(const struct toml_value *root, const char *path, GPtrArray *warnings)
{
	g_autoptr(GPtrArray) known = known_keys(), parts = g_ptr_array_new();
	struct check c = {.path = path, .known = known, .warnings = warnings};
	walk(&c, root, parts);
	if (c.n > WARNINGS_MAX)
		g_ptr_array_add(warnings,
				g_strdup_printf("%s: %u more unknown keys are ignored", path, c.n - WARNINGS_MAX));
}
