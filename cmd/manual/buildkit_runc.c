/* SPDX-License-Identifier: Apache-2.0 */
/* manual_buildkit-runc: generates buildkit-runc(8). */
#include "../buildkit-runc/command.h"
#include "manual.h"

static void write_options_of(GString *out, unsigned command)
{
	for (const struct command_option *o = command_option_rows; o->name; o++) {
		if (!command_option_of(o, command) || o->kind == OPTION_HELP)
			continue;
		g_autofree char *term =
			o->letter ? g_strdup_printf("--%s, -%c", o->name, o->letter) : g_strdup_printf("--%s", o->name);
		roff_entry(out, term, o->value, o->help, NULL, NULL);
	}
}

static void write_options(GString *out)
{
	write_options_of(out, 0);
}

static void write_commands(GString *out)
{
	for (const struct command *c = commands; c->name; c++) {
		g_string_append(out, ".SS ");
		roff_text(out, c->name);
		g_string_append_c(out, '\n');
		g_autofree char *synopsis = g_strdup_printf("[options] %s", c->arguments);
		roff_entry(out, c->name, synopsis, c->help, NULL, NULL);
		write_options_of(out, c->bit);
	}
}

int main(int argc, char **argv)
{
	static const struct manual_block blocks[] = {{"OPTIONS", write_options}, {"COMMANDS", write_commands}};
	struct manual m = {"buildkit-runc", blocks, G_N_ELEMENTS(blocks), g_ptr_array_new()};
	return manual_main(&m, argc, argv);
}
