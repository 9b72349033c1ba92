/* SPDX-License-Identifier: Apache-2.0 */
/* manual_buildctl: generates buildctl(1) and buildctl's completion. */
#include "../buildctl/command.h"
#include "manual.h"

static void write_global(GString *out)
{
	roff_flags(out, buildctl_flags, buildctl_n_flags);
}

static void write_command(GString *out, const char *path, const struct command *c)
{
	g_string_append(out, ".SS ");
	roff_text(out, path);
	g_string_append_c(out, ' ');
	roff_text(out, c->arguments ? c->arguments : "[options]");
	g_string_append_c(out, '\n');
	roff_text(out, c->usage);
	g_string_append(out, ".\n");
	if (c->example) {
		g_string_append(out, ".PP\n.nf\n.RS\n");
		roff_text(out, c->example);
		g_string_append(out, "\n.RE\n.fi\n");
	}
	roff_flags(out, c->flags, c->n_flags);
}

static void write_commands_of(GString *out, const char *path, const struct command *const *list)
{
	for (; *list; list++) {
		g_autofree char *own = g_strdup_printf("%s %s", path, (*list)->name);
		if ((*list)->usage)
			write_command(out, own, *list);
		if ((*list)->sub)
			write_commands_of(out, own, (*list)->sub);
	}
}

static void write_commands(GString *out)
{
	write_commands_of(out, "buildctl", buildctl_commands);
}

int main(int argc, char **argv)
{
	static const struct manual_block blocks[] = {{"GLOBAL", write_global}, {"COMMANDS", write_commands}};
	g_autoptr(GPtrArray) commands = buildctl_manual_commands();
	const struct manual m = {"buildctl", blocks, G_N_ELEMENTS(blocks), commands};
	return manual_main(&m, argc, argv);
}
