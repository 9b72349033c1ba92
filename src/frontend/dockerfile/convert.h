/* SPDX-License-Identifier: Apache-2.0 */
/*
 * convert: converts a Dockerfile to LLB and an image config for one target platform.
 *
 *	g_autoptr(convert) c = convert_new(context, file, platform);             platform NULL: the build platform
 *	if (!convert_all(c, error)) ...                                          c->where: lines of the error
 *	llb_marshal(c->graph, c->target_stage->state.out); c->target_stage->image
 *
 * Order: scan, parse, stage table and names, dependencies, base images (repeated while ONBUILD adds dependencies),
 * instructions of the needed stages, main context. A parse error in any stage fails the conversion; base images and
 * instructions of unneeded stages are not processed. Thread: one conversion.
 */
#pragma once
#include "frontend/dockerfile/context.h"
#include "frontend/dockerfile/env.h"
#include "frontend/dockerfile/image_config.h"
#include "frontend/dockerfile/lint.h"
#include "frontend/dockerfile/scan.h"

struct patterns;
struct stage;

/* State of a stage between instructions; copied by value to child stages. */
struct state {
	struct llb_out out;
	struct env *env;
	const char *dir, *user, *hostname; /* user, hostname: "" */
	Pb__NetMode network;
	bool has_platform; /* false for FROM scratch */
	struct platform platform;
};

struct command {
	const struct instruction *i;
	struct vec sources; /* element type: struct stage *: COPY --from (one), RUN mounts (one per mount) */
	bool onbuild;
};

struct dependency {
	struct stage *stage;
	struct span span;
};

/* An instruction of which only the last one in a stage counts. */
struct once {
	bool set;
	struct span span;
};

/* A name in the answer to "outline". */
struct arg_info {
	const struct pair *definition;
	const char *value; /* effective value, or "" */
	struct span span;
	struct vec deps; /* names that the default uses */
};
struct secret_info {
	const char *id;
	bool required;
	struct span span;
};

struct stage {
	const struct instruction *from; /* NULL: added for --from or a mount */
	const char *base_name;          /* expanded; later resolved to a full reference */
	const char *original_base;
	const char *name;    /* "": no name */
	const char *display; /* platform in vertex names, "": not written */
	struct span span;
	struct vec commands;     /* element type: struct command * */
	struct vec instructions; /* element type: struct instruction *, as parsed */
	struct stage *base;      /* another stage, or NULL */
	struct vec deps;         /* element type: struct dependency * */
	struct state state;
	struct image_config *image;
	const struct image_config *base_image; /* resolved digest, NULL: none */
	bool has_platform;
	struct platform platform;
	const char *context_value; /* the named context that replaces this stage, or NULL */
	const char *context_name;
	bool unregistered, dispatched, resolved, onbuild_done, no_cache, workdir_set, in_onbuild;
	struct vec args;                  /* element type: struct pair *: declared ARGs with effective values */
	GHashTable *paths;                /* files that other stages use; shared with its base stage */
	struct llb_out files_placeholder; /* local named context; its op is made when all paths are known */
	const char *files_local, *files_key, *files_name;
	const char *const *files_ignore;
	int index, total; /* number of steps */
	struct once cmd, entrypoint, healthcheck;
	GHashTable *used_args, *arg_infos; /* for "outline"; arg_infos: name to struct arg_info * */
	struct vec secrets, ssh;           /* element type: struct secret_info * */
};

typedef struct convert {
	arena *a;
	GPtrArray *tables; /* element type: GHashTable, freed with the conversion */
	context *x;
	const struct options *o;
	const struct source_file *file;
	llb_graph *graph;
	int source_index;
	struct lint lint;
	struct scan scan;
	struct words words;
	int64_t work_left;
	struct platform target, build;
	bool implicit_target;
	GHashTable *build_args; /* name to value, borrowed strings */
	struct env *globals;
	GHashTable *arg_infos; /* values of global ARGs */
	struct vec meta_args;  /* element type: struct instruction *: ARGs before the first FROM */
	struct vec parsed;     /* element type: struct stage *, one per FROM */
	struct vec stages;     /* element type: struct stage *, including those added for --from and mounts */
	GHashTable *by_name;
	struct stage *target_stage;
	const char *target_name; /* the option, or "" */
	bool all_stages;         /* lint without a target stage */
	const char *epoch;       /* RFC 3339, NULL: none */
	int64_t epoch_s;
	Pb__ProxyEnv *proxy; /* NULL: none */
	struct llb_out context_placeholder;
	GHashTable *context_paths;
	struct patterns *ignore;   /* NULL: none */
	const char *marshal_error; /* error that upstream reports only at marshalling, or NULL */
	bool unlocated;            /* the error is reported without lines */
	struct vec where;          /* element type: struct span * */
} convert;

convert *convert_new(context *x, const struct source_file *file, const struct platform *target);
void convert_free(convert *c);
/* Optional settings before convert_all: c->lint.sink and .user, c->target_name, c->all_stages. */
bool convert_all(convert *c, GError **error);
/* Returns an error that upstream reports only at marshalling; call after the conversion. */
bool convert_check_marshal(const convert *c, GError **error);
/* Scans and parses only: sets c->parsed and c->meta_args. */
bool convert_parse(convert *c, GError **error);

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
void stage_set_dir(convert *c, struct stage *s, const char *dir);

/* --- names.c: vertex names --- */
/* Returns "[linux/arm64 build 2/7] " + text and increments the step number. platform NULL: omitted. */
const char *name_prefix(convert *c, struct stage *s, const char *text, const struct platform *platform, bool with_env);
/* Returns the text of the instruction for display: variables expanded, keyword in upper case. */
const char *name_text(convert *c, const char *text, const struct words_env *env, bool run);

/* --- validate.c: lint rules that examine several instructions --- */
void validate_stages(convert *c);
void validate_default_args(convert *c);
void validate_secret_key(convert *c, const struct instruction *i, const char *instruction, const char *key);
void validate_once(convert *c, const struct instruction *i, struct once *once);
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

G_DEFINE_AUTOPTR_CLEANUP_FUNC(convert, convert_free)
