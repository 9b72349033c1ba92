/* SPDX-License-Identifier: Apache-2.0 */
/* manual_buildkitd: generates buildkitd(8), buildkitd.toml(5) and buildkitd's completion. */
#include "../buildkitd/options.h"
#include "manual.h"
#include <string.h>

static GArray *flag_rows;

static void write_flags(GString *out)
{
	roff_flags(out, (const struct flag *)(void *)flag_rows->data, flag_rows->len);
}

static const char *type_word(enum option_type type)
{
	static const char *const words[] = {
		[OPTION_STRING] = "string",      [OPTION_STRINGS] = "list of strings",
		[OPTION_BOOL] = "true or false", [OPTION_TRISTATE] = "true or false",
		[OPTION_INT] = "number",         [OPTION_DISK_SPACE] = "size",
		[OPTION_DURATION] = "duration",  [OPTION_LABELS] = "table of strings",
		[OPTION_TABLE] = "table",
	};
	return words[type];
}

static void write_key(GString *out, const struct option *o)
{
	/* The meaning of -1 is part of the help text. */
	roff_entry(out, o->key, type_word(o->type), option_help(o),
		   g_strcmp0(o->default_value, "-1") == 0 ? NULL : o->default_value, NULL);
}

static void write_keys(GString *out)
{
	for (size_t i = 0; i < options_count; i++)
		if (options[i].key)
			write_key(out, &options[i]);
}

static void write_rows(GString *out, const struct option *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		write_key(out, &rows[i]);
}

static void write_gc(GString *out)
{
	write_rows(out, gc_options, gc_options_count);
}

static void write_registry(GString *out)
{
	write_rows(out, registry_options, registry_options_count);
}

int main(int argc, char **argv)
{
	static const struct manual_block blocks[] = {
		{"FLAGS", write_flags}, {"KEYS", write_keys}, {"GC", write_gc}, {"REGISTRY", write_registry}};
	struct manual m = {"buildkitd", blocks, G_N_ELEMENTS(blocks), g_ptr_array_new()};
	flag_rows = options_flags();
	struct manual_command program = {(char *)(uintptr_t) "buildkitd", "",
					 (const struct flag *)(void *)flag_rows->data, flag_rows->len};
	g_ptr_array_add(m.commands, &program);
	return manual_main(&m, argc, argv);
}
