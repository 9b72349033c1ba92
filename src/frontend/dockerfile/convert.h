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
	const struct platform *platform; /* NULL for FROM scratch */
};
#define STATE_INIT ((struct state){.dir = "/", .user = "", .hostname = ""})

struct command {
	const struct instruction *instruction;
	struct vec sources; /* element type: struct stage *: COPY --from (one), RUN mounts (one per mount) */
	bool onbuild;
};

struct dependency {
	struct stage *stage;
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
	const struct platform *platform;       /* NULL: not known yet */
	const char *context_value;             /* the named context that replaces this stage, or NULL */
	const char *context_name;
	bool dispatched, resolved, onbuild_done, no_cache, workdir_set, in_onbuild;
	struct vec args;                  /* element type: struct pair *: declared ARGs with effective values */
	GHashTable *paths;                /* files that other stages use; shared with its base stage */
	struct llb_out files_placeholder; /* local named context; its op is made when all paths are known */
	const char *files_local, *files_key, *files_name;
	const char *const *files_ignore;
	int index, total;                         /* number of steps */
	struct span cmd, entrypoint, healthcheck; /* the last one of each, {0}: none */
	GHashTable *used_args, *arg_infos;        /* for "outline"; arg_infos: name to struct arg_info * */
	struct vec secrets, ssh;                  /* element type: struct secret_info * */
};

typedef struct convert {
	arena *arena;
	GPtrArray *tables; /* element type: GHashTable, freed with the conversion */
	context *context;
	const struct options *options;
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
/*
 * After the conversion: the trees that an SBOM generator scans beside the result, in the conversion's arena.
 * *ret_ignore_cache: the result or one of these trees is built without a cache.
 */
struct sbom_extra *convert_extras(convert *c, size_t *ret_n, bool *ret_ignore_cache);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(convert, convert_free)
