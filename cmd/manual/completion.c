/* SPDX-License-Identifier: Apache-2.0 */
/* completion: generates shell completion: commands, flags and flag values at each place of a command line. */
#include "manual.h"
#include <string.h>

/* Lists the commands directly below path, separated by spaces. */
static void add_words(GString *out, const struct manual *m, const struct manual_command *of)
{
	size_t n = strlen(of->path);
	for (guint i = 0; i < m->commands->len; i++) {
		const struct manual_command *c = m->commands->pdata[i];
		if (c->usage && strncmp(c->path, of->path, n) == 0 && c->path[n] == ' ' &&
		    !strchr(c->path + n + 1, ' '))
			g_string_append_printf(out, "%s ", c->path + n + 1);
	}
}

static void add_flag_words(GString *out, const struct manual_command *c)
{
	for (size_t i = 0; i < c->n_flags; i++) {
		const struct flag *f = &c->flags[i];
		if (!f->usage)
			continue;
		g_string_append_printf(out, "--%s ", f->name);
		if (f->alias)
			g_string_append_printf(out, "%s%s ", f->alias[1] ? "--" : "-", f->alias);
	}
}

/* Lists the flags that take a value, over all commands, as alternatives of a shell pattern. */
static void add_value_flags(GString *out, const struct manual *m)
{
	g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
	for (guint i = 0; i < m->commands->len; i++) {
		const struct manual_command *c = m->commands->pdata[i];
		for (size_t k = 0; k < c->n_flags; k++) {
			const struct flag *f = &c->flags[k];
			if (!f->usage || f->type == FLAG_BOOL || !g_hash_table_add(seen, (gpointer)(uintptr_t)f->name))
				continue;
			g_string_append_printf(out, "%s--%s", out->len && out->str[out->len - 1] != '\t' ? "|" : "",
					       f->name);
			if (f->alias)
				g_string_append_printf(out, "|%s%s", f->alias[1] ? "--" : "-", f->alias);
		}
	}
}

/* Suggested values of flags; after a value that ends with "=" or "," no space is added. */
static const struct {
	const char *flag, *alias; /* name and alias as typed; alias may be NULL */
	const char *values;
} value_rows[] = {
	{"--progress", NULL, "auto plain tty rawjson quiet"},
	{"--output", "-o",
	 "type=image type=image,name= type=image,push=true,name= type=local,dest= type=tar,dest= type=oci,dest= "
	 "type=docker,dest="},
	{"--export-cache", NULL, "type=registry,ref= type=local,dest= type=inline type=s3,bucket="},
	{"--import-cache", NULL, "type=registry,ref= type=local,src= type=s3,bucket="},
	{"--frontend", NULL, "dockerfile.v0 gateway.v0"},
	{"--allow", NULL, "network.host security.insecure device"},
	{"--log-format", NULL, "text json"},
	{"--log-level", NULL, "error warn info debug trace"},
	{"--local", NULL, "context= dockerfile="},
};

/* Commands whose argument is the ref of a build. */
static const char *const ref_commands[] = {"debug logs", "debug get", "debug ctl", "debug explain"};

static void write_refs(GString *out, const struct manual *m)
{
	if (strcmp(m->program, "buildctl") != 0)
		return;
	g_string_append(out, "\tcase $at in\n\t");
	for (size_t i = 0; i < G_N_ELEMENTS(ref_commands); i++)
		g_string_append_printf(out, "%s\"buildctl %s\"", i ? "|" : "", ref_commands[i]);
	g_string_append(
		out, ") commands=$(buildctl --timeout 1 debug histories 2> /dev/null | awk 'NR > 1 { print $2 }') ;;\n"
		     "\tesac\n");
}

/* Finds the command that the words before the cursor name; used for bash and zsh. */
static void write_walk(GString *out, const struct manual *m)
{
	g_string_append_printf(out,
			       "\tlocal at=%s word skip= flag= flags= commands= values=\n\tfor word in \"$@\"; do\n"
			       "\t\tif [ -n \"$skip\" ]; then skip=; continue; fi\n\t\tcase $word in\n\t\t",
			       m->program);
	g_autoptr(GString) value_flags = g_string_new(NULL);
	add_value_flags(value_flags, m);
	g_string_append_printf(
		out,
		"%s) skip=1 flag=$word ;;\n\t\t-*) ;;\n\t\t*) at=\"$at $word\" ;;\n\t\tesac\n\tdone\n\tcase $at in\n",
		value_flags->len ? value_flags->str : "--");
	for (guint i = 0; i < m->commands->len; i++) {
		const struct manual_command *c = m->commands->pdata[i];
		g_string_append_printf(out, "\t\"%s\") commands=\"", c->path);
		add_words(out, m, c);
		g_string_append(out, "\" flags=\"");
		add_flag_words(out, c);
		g_string_append(out, "\" ;;\n");
	}
	g_string_append(out, "\tesac\n");
	g_string_append(out, "\tif [ -n \"$skip\" ]; then\n\t\tcase $flag in\n");
	for (size_t i = 0; i < G_N_ELEMENTS(value_rows); i++)
		g_string_append_printf(out, "\t\t%s%s%s) values=\"%s\" ;;\n", value_rows[i].flag,
				       value_rows[i].alias ? "|" : "", value_rows[i].alias ? value_rows[i].alias : "",
				       value_rows[i].values);
	g_string_append(out, "\t\tesac\n\tfi\n");
	write_refs(out, m);
}

static void write_bash(GString *out, const struct manual *m)
{
	g_string_append_printf(out, "# bash completion for %s\n_%s_words() {\n", m->program, m->program);
	write_walk(out, m);
	g_string_append_printf(
		out,
		"\tif [ -n \"$skip\" ]; then echo \"$values\"; return; fi\n"
		"\tif [[ $cur == -* ]]; then echo \"$flags\"; else echo \"$commands\"; fi\n}\n"
		"_%s() {\n"
		"\t# Words are cut at = and :, of which values are full: they are put together again.\n"
		"\tlocal line=${COMP_LINE:0:COMP_POINT} cur before words=()\n"
		"\tread -ra words <<< \"$line\"\n"
		"\tif [[ $line == *[[:space:]] ]]; then words+=(\"\"); fi\n"
		"\tcur=${words[${#words[@]}-1]}\n"
		"\tCOMPREPLY=($(compgen -W \"$(_%s_words \"${words[@]:1:${#words[@]}-2}\")\" -- \"$cur\"))\n"
		"\tbefore=${cur%%\"${cur##*[=:]}\"}\n"
		"\tCOMPREPLY=(\"${COMPREPLY[@]#\"$before\"}\")\n"
		"\tif [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *= ]]; then compopt -o nospace 2> /dev/null; fi\n"
		"}\ncomplete -o default -F _%s %s\n",
		m->program, m->program, m->program, m->program);
}

static void write_zsh(GString *out, const struct manual *m)
{
	g_string_append_printf(out, "#compdef %s\n_%s_complete() {\n", m->program, m->program);
	write_walk(out, m);
	g_string_append_printf(out,
			       "\tif [ -n \"$skip\" ]; then\n"
			       "\t\tif [ -n \"$values\" ]; then compadd -S '' -- ${=values}; else _files; fi\n"
			       "\t\treturn\n\tfi\n"
			       "\tif [[ $PREFIX == -* ]]; then compadd -- ${=flags}\n"
			       "\telif [ -n \"$commands\" ]; then compadd -- ${=commands}\n"
			       "\telse _files; fi\n}\n"
			       "_%s_complete \"${(@)words[2,CURRENT-1]}\"\n",
			       m->program);
}

/* Returns the suggested values of a flag, or NULL for any value. */
static const char *values_of(const char *name)
{
	for (size_t i = 0; i < G_N_ELEMENTS(value_rows); i++)
		if (strcmp(value_rows[i].flag + 2, name) == 0)
			return value_rows[i].values;
	return NULL;
}

/* Escapes text for a description in single quotes (fish). */
static void add_fish_text(GString *out, const char *text)
{
	g_string_append(out, " -d '");
	for (; *text; text++)
		g_string_append_printf(out, *text == '\'' || *text == '\\' ? "\\%c" : "%c", *text);
	g_string_append(out, "'\n");
}

/* Builds a condition such as "__fish_seen_subcommand_from debug; and ... workers". */
static char *fish_condition(const struct manual *m, const struct manual_command *c, bool below)
{
	g_autoptr(GString) out = g_string_new(NULL);
	g_auto(GStrv) words = g_strsplit(c->path, " ", -1);
	for (char **word = words + 1; *word; word++)
		g_string_append_printf(out, "%s__fish_seen_subcommand_from %s", out->len ? "; and " : "", *word);
	g_autoptr(GString) others = g_string_new(NULL);
	add_words(others, m, c);
	if (below && others->len > 0)
		g_string_append_printf(out, "%snot __fish_seen_subcommand_from %s", out->len ? "; and " : "",
				       others->str);
	return g_strdup(out->len ? g_strchomp(out->str) : "true");
}

static void write_fish_command(GString *out, const struct manual *m, const struct manual_command *c)
{
	g_autofree char *here = fish_condition(m, c, true);
	size_t n = strlen(c->path);
	for (guint i = 0; i < m->commands->len; i++) {
		const struct manual_command *sub = m->commands->pdata[i];
		if (!sub->usage || strncmp(sub->path, c->path, n) != 0 || sub->path[n] != ' ' ||
		    strchr(sub->path + n + 1, ' '))
			continue;
		g_string_append_printf(out, "complete -c %s -f -n '%s' -a %s", m->program, here, sub->path + n + 1);
		add_fish_text(out, sub->usage);
	}
	for (size_t i = 0; i < c->n_flags; i++) {
		const struct flag *f = &c->flags[i];
		if (!f->usage)
			continue;
		g_string_append_printf(out, "complete -c %s -n '%s' -l %s%s", m->program, here, f->name,
				       f->type == FLAG_BOOL ? "" : " -r");
		const char *values = values_of(f->name);
		if (values && f->type != FLAG_BOOL)
			g_string_append_printf(out, " -a '%s'", values);
		if (f->alias)
			g_string_append_printf(out, " %s %s", f->alias[1] ? "-l" : "-s", f->alias);
		add_fish_text(out, f->usage);
	}
}

static void write_fish(GString *out, const struct manual *m)
{
	g_string_append_printf(out, "# fish completion for %s\n", m->program);
	for (guint i = 0; i < m->commands->len; i++)
		write_fish_command(out, m, m->commands->pdata[i]);
}

bool completion_write(GString *out, const struct manual *m, const char *shell)
{
	static const struct {
		const char *shell;
		void (*write)(GString *out, const struct manual *m);
	} shells[] = {{"bash", write_bash}, {"zsh", write_zsh}, {"fish", write_fish}};
	for (size_t i = 0; i < G_N_ELEMENTS(shells); i++)
		if (strcmp(shells[i].shell, shell) == 0)
			return shells[i].write(out, m), true;
	return false;
}
