/* SPDX-License-Identifier: Apache-2.0 */
#include "manual.h"
#include <stdio.h>
#include <string.h>

#define LINE_BYTES 78

/* Returns the offset of the space at which a line that begins at from is broken, or 0 if it fits. */
static gsize break_at(const GString *out, gsize from)
{
	gsize at = out->len;
	while (at > from && out->str[at - 1] != ' ')
		at--;
	return at > from ? at - 1 : 0;
}

static void roff_wrapped(GString *out, const char *text)
{
	gsize from = out->len;
	g_autoptr(GString) all = g_string_new(NULL);
	roff_text(all, text);
	for (const char *p = all->str; *p; p++) {
		g_string_append_c(out, *p);
		gsize space = out->len - from > LINE_BYTES ? break_at(out, from) : 0;
		if (space) {
			out->str[space] = '\n';
			from = space + 1;
		}
		if (space && (out->str[from] == '.' || out->str[from] == '\''))
			g_string_insert(out, (gssize)from, "\\&");
	}
}

void roff_text(GString *out, const char *text)
{
	for (const char *p = text; *p; p++) {
		if (*p == '\\')
			g_string_append(out, "\\e");
		else if (*p == '-')
			g_string_append(out, "\\-");
		else if ((*p == '.' || *p == '\'') && (out->len == 0 || out->str[out->len - 1] == '\n'))
			g_string_append_printf(out, "\\&%c", *p);
		else
			g_string_append_c(out, *p);
	}
}

void roff_entry(GString *out, const char *term, const char *value, const char *text, const char *default_value,
		const char *env)
{
	g_string_append(out, ".TP\n\\fB");
	roff_text(out, term);
	g_string_append(out, "\\fR");
	if (value && *value)
		g_string_append_printf(out, " \\fI%s\\fR", value);
	g_string_append_c(out, '\n');
	g_autoptr(GString) all = g_string_new(text);
	if (default_value && *default_value)
		g_string_append_printf(all, " (default: %s)", default_value);
	if (env)
		g_string_append_printf(all, ", or the variable %s", env);
	g_string_append_c(all, '.');
	roff_wrapped(out, all->str);
	g_string_append_c(out, '\n');
}

static const char *const value_words[] = {
	[FLAG_BOOL] = "",      [FLAG_STRING] = "text",  [FLAG_STRINGS] = "text",
	[FLAG_INT] = "number", [FLAG_FLOAT] = "number", [FLAG_DURATION] = "duration",
};

void roff_flags(GString *out, const struct flag *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct flag *f = &rows[i];
		g_autofree char *term =
			f->alias ? g_strdup_printf("--%s, %s%s", f->name, f->alias[1] ? "--" : "-", f->alias)
				 : g_strdup_printf("--%s", f->name);
		g_autofree char *text =
			f->usage ? g_strdup_printf("%s%s", f->usage, f->type == FLAG_STRINGS ? "; may be repeated" : "")
				 : NULL;
		if (text)
			roff_entry(out, term, value_words[f->type], text, f->default_value, f->env);
	}
}

static const struct manual_block *find_block(const struct manual *m, const char *line)
{
	size_t n = strlen(line);
	for (size_t i = 0; n > 2 && line[0] == '@' && line[n - 1] == '@' && i < m->n_blocks; i++)
		if (strlen(m->blocks[i].name) == n - 2 && strncmp(m->blocks[i].name, line + 1, n - 2) == 0)
			return &m->blocks[i];
	return NULL;
}

static bool write_page(const struct manual *m, const char *path, GString *out)
{
	g_autofree char *template = NULL;
	g_autoptr(GError) error = NULL;
	if (!g_file_get_contents(path, &template, NULL, &error)) {
		fprintf(stderr, "manual: %s\n", error->message);
		return false;
	}
	g_auto(GStrv) lines = g_strsplit(g_strchomp(template), "\n", -1);
	for (char **line = lines; *line; line++) {
		const struct manual_block *block = find_block(m, *line);
		if (block)
			block->write(out);
		else if (**line == '@')
			return fprintf(stderr, "manual: %s: no block %s\n", path, *line), false;
		else
			g_string_append_printf(out, "%s\n", *line);
	}
	return true;
}

int manual_main(const struct manual *m, int argc, char **argv)
{
	g_autoptr(GString) out = g_string_new(NULL);
	bool ok = false;
	if (argc == 3 && strcmp(argv[1], "page") == 0)
		ok = write_page(m, argv[2], out);
	else if (argc == 3 && strcmp(argv[1], "completion") == 0)
		ok = completion_write(out, m, argv[2]);
	else
		fprintf(stderr, "usage: %s page TEMPLATE | completion SHELL\n", argv[0]);
	return ok && fwrite(out->str, 1, out->len, stdout) == out->len && fflush(stdout) == 0 ? 0 : 1;
}
