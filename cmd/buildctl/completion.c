/* SPDX-License-Identifier: Apache-2.0 */
/* completion: prints the completion of buildctl for a shell; the same as the installed files. */
#include "command.h"
#include "../manual/manual.h"

static void add(GPtrArray *all, char *path, const char *usage, const struct flag *rows, size_t n)
{
	struct manual_command *c = g_new0(struct manual_command, 1);
	*c = (struct manual_command){.path = path, .usage = usage, .flags = rows, .n_flags = n};
	g_ptr_array_add(all, c);
}

static void add_all(GPtrArray *all, const char *path, const struct command *const *list)
{
	for (; *list; list++) {
		char *own = g_strdup_printf("%s %s", path, (*list)->name);
		add(all, own, (*list)->usage, (*list)->flags, (*list)->n_flags);
		if ((*list)->sub)
			add_all(all, own, (*list)->sub);
	}
}

static void manual_command_free(void *data)
{
	struct manual_command *c = data;
	g_free(c->path);
	g_free(c);
}

GPtrArray *buildctl_manual_commands(void)
{
	GPtrArray *all = g_ptr_array_new_with_free_func(manual_command_free);
	add(all, g_strdup("buildctl"), "", buildctl_flags, buildctl_n_flags);
	add_all(all, "buildctl", buildctl_commands);
	return all;
}

static bool run_completion(struct context *x G_GNUC_UNUSED, const flags *f, GError **error)
{
	static const char available[] = "available shells are [bash fish zsh]";
	char *const *words = flags_rest(f);
	if (!words[0])
		return error_set(error, ERROR_INVALID_ARGUMENT, "no shell provided for completion command. %s",
				 available);
	g_autoptr(GPtrArray) commands = buildctl_manual_commands();
	const struct manual m = {.program = "buildctl", .commands = commands};
	g_autoptr(GString) out = g_string_new(NULL);
	if (!completion_write(out, &m, words[0]))
		return error_set(error, ERROR_INVALID_ARGUMENT, "unknown shell %s, %s", words[0], available);
	return print_text(out->str, error);
}

/* Hidden, as upstream's. */
const struct command completion_command = {.name = "completion", .run = run_completion, .arguments = "SHELL"};
