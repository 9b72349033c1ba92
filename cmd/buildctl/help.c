/* SPDX-License-Identifier: Apache-2.0 */
#include "help.h"
#include "base/version.h"
#include <string.h>

static void add_commands(GString *out, const struct command *const *list, bool with_help)
{
	int width = with_help ? (int)strlen("help, h") : 0;
	for (const struct command *const *c = list; *c; c++)
		width = MAX(width, (int)strlen((*c)->name) + ((*c)->alias ? (int)strlen((*c)->alias) + 2 : 0));
	g_string_append(out, "\nCOMMANDS:\n");
	for (; *list; list++) {
		g_autofree char *names = g_strconcat((*list)->name, (*list)->alias ? ", " : NULL, (*list)->alias, NULL);
		if ((*list)->usage)
			g_string_append_printf(out, "   %-*s  %s\n", width, names, (*list)->usage);
	}
	if (with_help)
		g_string_append_printf(out, "   %-*s  %s\n", width, "help, h", "show help for a command");
}

static void add_flags(GString *out, const char *title, const struct flag *rows, size_t n, bool with_help)
{
	static const struct flag help = {"help", "h", FLAG_BOOL, NULL, NULL, "show help"};
	g_autoptr(GArray) all = g_array_new(FALSE, FALSE, sizeof help);
	g_array_append_vals(all, rows, (guint)n);
	if (with_help)
		g_array_append_val(all, help);
	g_autofree char *text = flags_help((const struct flag *)(void *)all->data, all->len);
	g_string_append_printf(out, "\n%s:\n%s", title, text);
}

bool help_program(GError **error)
{
	g_autoptr(GString) out = g_string_new("NAME:\n   buildctl - build utility\n\n"
					      "USAGE:\n   buildctl [global options] [command [command options]]\n\n"
					      "VERSION:\n   " BUILDKIT_VERSION "\n");
	add_commands(out, buildctl_commands, true);
	add_flags(out, "GLOBAL OPTIONS", buildctl_flags, buildctl_n_flags, false);
	return print_text(out->str, error);
}

bool help_command(const char *path, const struct command *c, GError **error)
{
	g_autoptr(GString) out = g_string_new(NULL);
	g_string_append_printf(out, "NAME:\n   %s - %s\n\nUSAGE:\n   %s %s\n", path, c->usage ? c->usage : c->name,
			       path, c->arguments ? c->arguments : "[options]");
	if (c->example)
		g_string_append_printf(out, "\nEXAMPLE:\n   %s\n", c->example);
	if (c->sub)
		add_commands(out, c->sub, false);
	add_flags(out, "OPTIONS", c->flags, c->n_flags, true);
	if (!c->sub)
		add_flags(out, "GLOBAL OPTIONS", buildctl_flags, buildctl_n_flags - 2 /* without help, version */,
			  false);
	return print_text(out->str, error);
}

#define UNKNOWN_TOPIC "No help topic for '"

bool help_unknown_topic(const char *name, GError **error)
{
	return error_set(error, ERROR_INVALID_ARGUMENT, UNKNOWN_TOPIC "%s'", name);
}

bool help_is_unknown_topic(const GError *error)
{
	return g_str_has_prefix(error->message, UNKNOWN_TOPIC);
}

bool help_topic(char *const *topic, GError **error)
{
	const struct command *const *list = buildctl_commands;
	const struct command *c = NULL;
	g_autoptr(GString) path = g_string_new("buildctl");
	for (; *topic; topic++) {
		c = command_find(list, *topic);
		if (!c)
			return help_unknown_topic(*topic, error);
		g_string_append_printf(path, " %s", c->name);
		list = c->sub;
	}
	return help_command(path->str, c, error);
}
