/* SPDX-License-Identifier: Apache-2.0 */
/*
 * instruction: an instruction of a Dockerfile, as scanned (struct node) and as parsed (struct instruction).
 *
 *	const struct keyword *k = keyword_find(node->keyword);
 *	struct instruction *i = instruction_parse(a, node, lint, error);
 *
 * All data is in the arena of the conversion and constant: expansion makes new values. Errors: INVALID_ARGUMENT with
 * upstream's texts, without the prefix "dockerfile parse error on line N: ". Thread: any.
 */
#pragma once
#include "base/error.h"
#include "base/arena.h"

/* How the text after the keyword is split. */
enum line_form {
	FORM_JSON_OR_LIST, /* JSON array, else words at blanks */
	FORM_JSON_OR_TEXT,
	FORM_HEALTHCHECK, /* a type, then JSON array or text */
	FORM_LIST,
	FORM_PAIRS, /* key, value, delimiter */
	FORM_QUOTED_WORDS,
	FORM_TEXT,
	FORM_ONBUILD,
};

/*
 * One row per instruction: name, how its line is split, whether here-documents may follow. instruction.c has a parser
 * for each, convert_shared.h a convert function.
 */
#define INSTRUCTIONS(X)                                                                                                \
	X(ADD, add, FORM_JSON_OR_LIST, true)                                                                           \
	X(ARG, arg, FORM_QUOTED_WORDS, false)                                                                          \
	X(CMD, cmd, FORM_JSON_OR_TEXT, false)                                                                          \
	X(COPY, copy, FORM_JSON_OR_LIST, true)                                                                         \
	X(ENTRYPOINT, entrypoint, FORM_JSON_OR_TEXT, false)                                                            \
	X(ENV, env, FORM_PAIRS, false)                                                                                 \
	X(EXPOSE, expose, FORM_LIST, false)                                                                            \
	X(FROM, from, FORM_LIST, false)                                                                                \
	X(HEALTHCHECK, healthcheck, FORM_HEALTHCHECK, false)                                                           \
	X(LABEL, label, FORM_PAIRS, false)                                                                             \
	X(MAINTAINER, maintainer, FORM_TEXT, false)                                                                    \
	X(ONBUILD, onbuild, FORM_ONBUILD, false)                                                                       \
	X(RUN, run, FORM_JSON_OR_TEXT, true)                                                                           \
	X(SHELL, shell, FORM_JSON_OR_TEXT, false)                                                                      \
	X(STOPSIGNAL, stopsignal, FORM_TEXT, false)                                                                    \
	X(USER, user, FORM_TEXT, false)                                                                                \
	X(VOLUME, volume, FORM_JSON_OR_LIST, false)                                                                    \
	X(WORKDIR, workdir, FORM_TEXT, false)

enum instruction_kind {
#define INSTRUCTION_KIND(NAME, name, form, heredocs) INSTRUCTION_##NAME,
	INSTRUCTIONS(INSTRUCTION_KIND)
#undef INSTRUCTION_KIND
		INSTRUCTION_COUNT
};

/* First and last line, 1-based; {0}: no location. */
struct span {
	int first, last;
};

struct heredoc {
	const char *name;
	const char *content;
	bool chomp;  /* <<- */
	bool expand; /* no quote in the delimiter */
};

/* An instruction as scanned. */
struct node {
	const char *keyword;  /* as written */
	const char *original; /* the logical line: continuations are joined */
	struct vec flags;     /* "--x=y" */
	struct vec args;
	bool json;
	struct vec heredocs;  /* element type: struct heredoc * */
	struct vec comments;  /* comments directly above it */
	struct node *trigger; /* node of the ONBUILD trigger */
	struct span span;
};

struct keyword {
	const char *name; /* keyword in lower case */
	enum instruction_kind kind;
	enum line_form form;
	bool heredocs;
};
const struct keyword *keyword_find(const char *word); /* any case; NULL: no such instruction */
const char *keyword_upper(enum instruction_kind kind);

struct pair {
	const char *key;
	const char *value; /* ARG: NULL if no default is given */
	bool legacy;       /* ENV key value */
	const char *doc;   /* ARG: its description comment, or "" */
};

struct healthcheck {
	const char **test;
	int64_t interval_ns, timeout_ns, start_period_ns, start_interval_ns;
	int retries;
};

struct instruction_copy {
	struct vec sources;  /* without those that are here-documents */
	struct vec heredocs; /* element type: struct heredoc * */
	const char *dest;
	const char *from, *chown, *chmod, *checksum; /* flags, NULL: not given */
	bool link, parents;
	int unpack, keep_git_dir; /* -1: not given */
	struct vec exclude;
};

struct instruction_from {
	const char *image;
	const char *platform;   /* flag, NULL: not given */
	const char *stage_name; /* in lower case, "" without AS */
	const char *doc;        /* description comment, or "" */
};

struct instruction_command {
	struct vec args;
	bool json; /* in exec form */
};

struct instruction_run {
	struct instruction_command command;
	struct vec heredocs;            /* element type: struct heredoc * */
	struct vec mounts, devices;     /* values of the flags */
	const char *network, *security; /* flags, NULL: not given */
};

/* An instruction as parsed. */
struct instruction {
	enum instruction_kind kind;
	const char *name; /* keyword as written */
	const char *code; /* trimmed line */
	struct span span;
	struct vec comments;
	union {
		struct instruction_copy copy; /* ADD, COPY */
		struct instruction_from from;
		struct instruction_run run;
		struct instruction_command command; /* CMD, ENTRYPOINT, SHELL */
		struct healthcheck health;
		struct vec pairs; /* ARG, ENV, LABEL; element type: struct pair * */
		struct vec words; /* EXPOSE, VOLUME */
		const char *text; /* MAINTAINER, ONBUILD, STOPSIGNAL, USER, WORKDIR */
	};
};

struct lint;
/* lint (may be NULL) receives findings about valid but discouraged text. */
struct instruction *instruction_parse(arena *a, const struct node *node, struct lint *lint, GError **error);

/* Parses a word such as <<EOF; NULL if it is not one. The content is not set. */
struct heredoc *heredoc_parse(arena *a, const char *word);
char *heredoc_chomp(arena *a, const char *content);
