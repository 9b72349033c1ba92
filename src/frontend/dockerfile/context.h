/* SPDX-License-Identifier: Apache-2.0 */
/*
 * context: where a build's files come from: the Dockerfile, the main context, its ignore file, image configs.
 *
 *	struct context *x = context_new(bridge, &options, inputs, work, error);
 *	context_read_dockerfile(x, &file, error);
 *	struct llb_out files = context_main(x, graph, follow_paths, error);
 *
 * One for all platforms of a request; what it learned once it keeps. Borrows bridge, options, inputs and work.
 * Thread: any (.mu guards what is learned).
 */
#pragma once
#include "frontend/dockerfile/options.h"
#include "frontend/dockerfile/source_error.h"
#include "llb/build.h"
#include "worker/bridge.h"

typedef struct context context;

context *context_new(bridge *b, const struct options *o, GHashTable *inputs, struct work *work, GError **error);
void context_free(context *x);
/* Borrowed from the context. */
const struct source_file *context_read_dockerfile(context *x, GError **error);
/* Patterns of the main context's ignore file; NULL in *ret when there are none or the context is not local. */
bool context_ignore(context *x, const char *const **ret, GError **error);
/* follow_paths: sorted, NULL-terminated, or NULL for everything. */
bool context_main(context *x, llb_graph *g, const char *const *follow_paths, struct llb_out *ret, GError **error);
/* The source op of a git or http main context, for its time; NULL: it has none. */
const char *context_main_source(const context *x, const char *const **ret_attrs);
bool context_main_is_archive(const context *x);

struct context_image {
	const char *ref;    /* possibly changed by policy */
	const char *digest; /* "" */
	GBytes *config;     /* borrowed */
	const char *other;  /* set with an error: the source, no image, that a policy put in its place */
};
/* Resolved once for each (ref, platform, store) of a request; a failure is kept as well. */
bool context_resolve_image(context *x, const struct bridge_image_request *r, struct context_image *ret, GError **error);
/* Several at once, each as above; failures show when they are asked for. */
void context_prefetch_images(context *x, const struct bridge_image_request *requests, size_t n);

bridge *context_bridge(const context *x);
struct work *context_work(const context *x);
const struct options *context_options(const context *x);
const char *context_session(const context *x, const char *local);
const Pb__Definition *context_input(const context *x, const char *name); /* NULL: no such input */
/* Solves a definition and reads one file of it: NULL without an error when there is no such file. */
bool context_solve(context *x, llb_graph *g, struct llb_out out, bool evaluate, build_result **ret, GError **error);
GBytes *context_read_file(context *x, build_result *r, const char *path, int64_t length, GError **error);

/* ["a","b"] as in source attributes. */
char *context_json_list(arena *a, const char *const *list);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(context, context_free)
