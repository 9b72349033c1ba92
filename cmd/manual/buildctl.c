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

static void add_command(GPtrArray *all, char *path, const char *usage, const struct flag *rows, size_t n)
{
	struct manual_command *c = g_new0(struct manual_command, 1);
	*c = (struct manual_command){.path = path, .usage = usage, .flags = rows, .n_flags = n};
	g_ptr_array_add(all, c);
}

static void add_commands(GPtrArray *all, const char *path, const struct command *const *list)
{
	for (; *list; list++) {
		char *own = g_strdup_printf("%s %s", path, (*list)->name);
		add_command(all, own, (*list)->usage, (*list)->flags, (*list)->n_flags);
		if ((*list)->sub)
			add_commands(all, own, (*list)->sub);
	}
}

int main(int argc, char **argv)
{
	static const struct manual_block blocks[] = {{"GLOBAL", write_global}, {"COMMANDS", write_commands}};
	struct manual m = {"buildctl", blocks, G_N_ELEMENTS(blocks), g_ptr_array_new()};
	add_command(m.commands, g_strdup("buildctl"), "", buildctl_flags, buildctl_n_flags);
	add_commands(m.commands, "buildctl", buildctl_commands);
	return manual_main(&m, argc, argv);
}
