/* SPDX-License-Identifier: Apache-2.0 */
/*
 * manual: generates manual pages and shell completion at build time from the option tables of a program.
 *
 *	manual_buildctl page packaging/man/buildctl.1.in > buildctl.1         each "@NAME@" line is replaced by a block
 *	manual_buildctl completion bash > buildctl
 *
 * Thread: main.
 */
#pragma once
#include "format/flags.h"

struct manual_block {
	const char *name; /* replaces the line "@NAME@" in a page */
	void (*write)(GString *out);
};
/* A program, or one of its commands. */
struct manual_command {
	char *path;        /* owned: "buildctl debug workers" */
	const char *usage; /* NULL: not shown */
	const struct flag *flags;
	size_t n_flags;
};
struct manual {
	const char *program;
	const struct manual_block *blocks;
	size_t n_blocks;
	GPtrArray *commands; /* element type: struct manual_command *; the program itself comes first */
};

int manual_main(const struct manual *m, int argc, char **argv);

/* Escapes text for roff; dashes are kept. */
void roff_text(GString *out, const char *text);
/* Adds an entry: ".TP", the term in bold (value in italics) and its description. default_value and env may be NULL. */
void roff_entry(GString *out, const char *term, const char *value, const char *text, const char *default_value,
		const char *env);
void roff_flags(GString *out, const struct flag *rows, size_t n);

/* Implemented in completion.c. shell: bash, zsh or fish. */
bool completion_write(GString *out, const struct manual *m, const char *shell);
