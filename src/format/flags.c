/* SPDX-License-Identifier: Apache-2.0 */
#include "format/flags.h"
#include "format/gotype.h"
#include <stdlib.h>
#include <string.h>

struct flags {
	const struct flag *table;
	size_t n;
	GPtrArray **values; /* of char *, one NULL-terminated array per row; NULL: not given */
	GPtrArray *rest;    /* of char *, NULL-terminated */
};

static const struct flag *flag_find(const struct flag *table, size_t n, const char *name, size_t len)
{
	for (size_t i = 0; i < n; i++) {
		const char *names[] = {table[i].name, table[i].alias};
		for (size_t k = 0; k < G_N_ELEMENTS(names); k++)
			if (names[k] && strlen(names[k]) == len && memcmp(names[k], name, len) == 0)
				return &table[i];
	}
	return NULL;
}

static bool value_check(const struct flag *flag, const char *value, GError **error)
{
	g_autoptr(GError) problem = NULL;
	bool ok = true;
	int64_t number;
	bool truth;
	char *end = NULL;
	switch (flag->type) {
	case FLAG_BOOL:
		ok = bool_parse(value, &truth, &problem);
		break;
	case FLAG_INT:
		ok = int_parse(value, 0, &number, &problem);
		break;
	case FLAG_DURATION:
		ok = duration_parse(value, &number, &problem);
		break;
	case FLAG_FLOAT:
		g_ascii_strtod(value, &end);
		ok = end != value && *end == '\0';
		break;
	case FLAG_STRING:
	case FLAG_STRINGS:
		break;
	}
	return ok || error_set(error, ERROR_INVALID_ARGUMENT, "invalid value \"%s\" for flag -%s: %s", value,
			       flag->name, problem ? problem->message : "parse error");
}

static bool value_add(flags *f, const struct flag *flag, const char *value, GError **error)
{
	if (!value_check(flag, value, error))
		return false;
	GPtrArray **values = &f->values[flag - f->table];
	if (!*values)
		*values = g_ptr_array_new_with_free_func(g_free);
	else
		g_ptr_array_set_size(*values, (gint)(*values)->len - 1);
	g_ptr_array_add(*values, g_strdup(value));
	g_ptr_array_add(*values, NULL);
	return true;
}

/* Parses argv[*at], which begins with a dash, and advances *at. */
static bool parse_flag(flags *f, int argc, char *const *argv, int *at, GError **error)
{
	const char *word = argv[(*at)++];
	const char *name = word + (word[1] == '-' ? 2 : 1);
	size_t len = strcspn(name, "=");
	const struct flag *flag = flag_find(f->table, f->n, name, len);
	if (!flag)
		return error_set(error, ERROR_INVALID_ARGUMENT, "flag provided but not defined: -%.*s", (int)len, name);
	if (name[len] == '=')
		return value_add(f, flag, name + len + 1, error);
	if (flag->type == FLAG_BOOL)
		return value_add(f, flag, "true", error);
	if (*at >= argc)
		return error_set(error, ERROR_INVALID_ARGUMENT, "flag needs an argument: %s", word);
	return value_add(f, flag, argv[(*at)++], error);
}

flags *flags_parse(const struct flag *table, size_t n, int argc, char *const *argv, bool mixed, GError **error)
{
	g_autoptr(flags) f = g_new0(flags, 1);
	f->table = table;
	f->n = n;
	f->values = g_new0(GPtrArray *, n);
	f->rest = g_ptr_array_new_with_free_func(g_free);
	bool only_words = false;
	for (int at = 1; at < argc;) {
		const char *word = argv[at];
		if (!only_words && strcmp(word, "--") == 0) {
			only_words = true;
			at++;
		} else if (!only_words && word[0] == '-' && word[1] != '\0') {
			if (!parse_flag(f, argc, argv, &at, error))
				return NULL;
		} else {
			g_ptr_array_add(f->rest, g_strdup(word));
			only_words = only_words || !mixed;
			at++;
		}
	}
	g_ptr_array_add(f->rest, NULL);
	return g_steal_pointer(&f);
}

void flags_free(flags *f)
{
	if (!f)
		return;
	for (size_t i = 0; f->values && i < f->n; i++)
		g_clear_pointer(&f->values[i], g_ptr_array_unref);
	g_free(f->values);
	g_clear_pointer(&f->rest, g_ptr_array_unref);
	g_free(f);
}

static size_t row_of(const flags *f, const char *name)
{
	const struct flag *flag = flag_find(f->table, f->n, name, strlen(name));
	g_assert(flag);
	return (size_t)(flag - f->table);
}

bool flags_given(const flags *f, const char *name)
{
	return f->values[row_of(f, name)] != NULL;
}

const char *flags_string(const flags *f, const char *name)
{
	size_t row = row_of(f, name);
	if (f->values[row])
		return f->values[row]->pdata[f->values[row]->len - 2];
	const char *env = f->table[row].env ? g_getenv(f->table[row].env) : NULL;
	if (env && *env)
		return env;
	return f->table[row].default_value ? f->table[row].default_value : "";
}

const char *const *flags_strings(const flags *f, const char *name)
{
	static const char *const none[] = {NULL};
	size_t row = row_of(f, name);
	return f->values[row] ? (const char *const *)f->values[row]->pdata : none;
}

bool flags_bool(const flags *f, const char *name)
{
	bool value = false;
	const char *text = flags_string(f, name);
	return *text && bool_parse(text, &value, NULL) && value;
}

int64_t flags_int(const flags *f, const char *name)
{
	int64_t value = 0;
	const char *text = flags_string(f, name);
	return *text && int_parse(text, 0, &value, NULL) ? value : 0;
}

double flags_float(const flags *f, const char *name)
{
	return g_ascii_strtod(flags_string(f, name), NULL);
}

int64_t flags_duration_ns(const flags *f, const char *name)
{
	int64_t value = 0;
	const char *text = flags_string(f, name);
	return *text && duration_parse(text, &value, NULL) ? value : 0;
}

char *const *flags_rest(const flags *f)
{
	return (char *const *)f->rest->pdata;
}

size_t flags_n_rest(const flags *f)
{
	return f->rest->len - 1;
}

static const char *placeholder(enum flag_type type)
{
	switch (type) {
	case FLAG_BOOL:
		return "";
	case FLAG_INT:
		return " int";
	case FLAG_FLOAT:
		return " float";
	case FLAG_DURATION:
		return " duration";
	case FLAG_STRING:
	case FLAG_STRINGS:
		return " string";
	}
	return "";
}

/* "--output string, -o string", repeated in brackets for repeatable flags. */
static char *help_names(const struct flag *flag)
{
	const char *value = placeholder(flag->type);
	g_autofree char *alias = flag->alias
					 ? g_strdup_printf(", %s%s%s", flag->alias[1] ? "--" : "-", flag->alias, value)
					 : g_strdup("");
	g_autofree char *once = g_strdup_printf("--%s%s%s", flag->name, value, alias);
	return flag->type == FLAG_STRINGS ? g_strdup_printf("%s [ %s ]", once, once) : g_steal_pointer(&once);
}

static void help_row(GString *out, const struct flag *flag, int width)
{
	g_autofree char *names = help_names(flag);
	bool text = flag->type == FLAG_STRING || flag->type == FLAG_STRINGS;
	g_string_append_printf(out, "   %-*s  %s", width, names, flag->usage);
	if (flag->default_value && *flag->default_value)
		g_string_append_printf(out, text ? " (default: \"%s\")" : " (default: %s)", flag->default_value);
	if (flag->env)
		g_string_append_printf(out, " [$%s]", flag->env);
	g_string_append_c(out, '\n');
}

char *flags_help(const struct flag *table, size_t n)
{
	GString *out = g_string_new(NULL);
	int width = 0;
	for (size_t i = 0; i < n; i++) {
		g_autofree char *names = table[i].usage ? help_names(&table[i]) : g_strdup("");
		width = MAX(width, (int)strlen(names));
	}
	for (size_t i = 0; i < n; i++)
		if (table[i].usage)
			help_row(out, &table[i], width);
	return g_string_free(out, FALSE);
}
