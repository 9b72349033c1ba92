/* SPDX-License-Identifier: Apache-2.0 */
/*
 * convert_shared: the functions that the files of the conversion share.
 *
 *	if (!stages_resolve(c, &needed, error) || !convert_dispatch(c, needed, error)) ...
 *	command_with_shell(c, stage, &args);
 *
 * Thread: one conversion.
 */
#pragma once
#include "frontend/dockerfile/convert.h"

/* Adds lines to the location of the error. Returns false. */
bool convert_fail_at(convert *c, struct span span);
GHashTable *convert_table(convert *c);

/* --- convert_stage.c: the table of stages --- */
bool stages_build(convert *c, GError **error);
bool stages_find_target(convert *c, GError **error);
bool stages_link(convert *c, GError **error);
/* Resolves base images of the needed stages; ret_needed: set of struct stage *. */
bool stages_resolve(convert *c, GHashTable **ret_needed, GError **error);
GHashTable *stages_needed(convert *c, struct stage *target);
bool stage_inherit(convert *c, struct stage *s, GError **error);
/* Adds to the work of this file; fails beyond the limit (L17w of docs/limits.md). */
bool convert_spend(convert *c, size_t n, GError **error);

/* --- convert_base.c --- */
bool stage_resolve_base(convert *c, struct stage *s, bool needed, GError **error);
void stages_prefetch(convert *c, GHashTable *needed);

/* --- named_context.c --- */
/* The names under which a context can replace an image, in the order in which they are looked up; g_strfreev. */
struct reference;
char **named_context_names(const struct reference *ref, const struct platform *p);
/* Looks up the context option for a name; *ret_value is NULL if there is none. */
bool named_context_find(convert *c, const char *name, const struct platform *p, const char **ret_value,
			const char **ret_name, GError **error);
/* *ret_image is NULL if the context has no image config. */
bool named_context_load(convert *c, struct stage *s, const char *value, const char *name, const struct platform *p,
			struct state *ret_state, struct image_config **ret_image, GError **error);
void named_contexts_finish(convert *c);

/* --- convert_args.c --- */
bool args_global(convert *c, GError **error);
bool args_is_env(const char *name);
void args_proxy(convert *c);

/* --- convert_dispatch.c --- */
bool convert_dispatch(convert *c, GHashTable *needed, GError **error);
/* Expands a word in the stage's environment and reports undefined variables. Returns NULL with an error. */
const char *convert_expand(convert *c, struct stage *s, const struct command *cmd, const char *word, GError **error);
void convert_report_undefined(convert *c, struct stage *s, const struct instruction *i, const struct vec *unmatched);
void convert_commit(convert *c, struct stage *s, const char *text, bool layer);
const char *const *follow_paths(convert *c, GHashTable *paths);
struct llb_meta convert_meta(convert *c, const char *name, struct span span);

#define CONVERT_DECLARE(NAME, name, form, heredocs)                                                                    \
	bool convert_##name(convert *c, struct stage *s, const struct command *cmd, GError **error);
INSTRUCTIONS(CONVERT_DECLARE)
#undef CONVERT_DECLARE
bool stage_set_dir(convert *c, struct stage *s, const char *dir, GError **error);

/* --- names.c: vertex names --- */
/* Returns "[linux/arm64 build 2/7] " + text and increments the step number. platform NULL: omitted. */
const char *name_prefix(convert *c, struct stage *s, const char *text, const struct platform *platform, bool with_env);
/* Returns the text of the instruction for display: variables expanded, keyword in upper case. */
const char *name_text(convert *c, const char *text, const struct words_env *env, bool run);

/* --- validate.c: lint rules that examine several instructions --- */
void validate_stages(convert *c);
void validate_default_args(convert *c);
void validate_secret_key(convert *c, const struct instruction *i, const char *instruction, const char *key);
void validate_once(convert *c, const struct instruction *i, struct span *last);
void validate_from(convert *c, const struct stage *s, const struct vec *unmatched);
void validate_from_platform(convert *c, const struct stage *s, const struct words_result *r);
void validate_base_platform(convert *c, const struct stage *s, const struct platform *expected);
void validate_copy_source(convert *c, const struct instruction *i, const char *source);

/* --- epoch.c --- */
bool epoch_resolve(convert *c, GError **error);
/* Sets c->epoch_s to the time of a source that SOURCE_DATE_EPOCH names; ret_known is false if it has none. */
bool epoch_from_source(convert *c, const char *name, bool *ret_known, GError **error);

/* Reports whether LLB with this capability can be solved. */
bool convert_has_cap(const char *cap);

/* Shell form: makes the words one argument after the shell. */
void command_with_shell(convert *c, const struct stage *s, struct vec *args);
/* Returns a tree with one file, with the content of a here-document. */
struct llb_out inline_file(convert *c, const struct stage *s, const char *name, const char *content, int mode);
/* Returns the file name of a download from a URL. */
const char *url_file(arena *a, const char *url);
