/* SPDX-License-Identifier: Apache-2.0 */
/*
 * manual: manual pages and shell completion from the option tables of a program, made when the project is built.
 *
 *	manual_buildctl page packaging/man/buildctl.1.in > buildctl.1         "@NAME@" lines become blocks
 *	manual_buildctl completion bash > buildctl
 *
 * Thread: main.
 */
#pragma once
#include "format/flags.h"

struct manual_block {
	const char *name; /* of the line "@NAME@" in a page */
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
	GPtrArray *commands; /* of struct manual_command *, the program itself first */
};

int manual_main(const struct manual *m, int argc, char **argv);

/* roff: text escaped, dashes kept as they are typed. */
void roff_text(GString *out, const char *text);
/* ".TP", a term in bold (value in italics) and what it means; default_value and env may be NULL. */
void roff_entry(GString *out, const char *term, const char *value, const char *text, const char *default_value,
		const char *env);
void roff_flags(GString *out, const struct flag *rows, size_t n);

/* completion.c; shell: bash, zsh or fish. */
bool completion_write(GString *out, const struct manual *m, const char *shell);
