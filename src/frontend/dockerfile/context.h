/* SPDX-License-Identifier: Apache-2.0 */
/*
 * context: loads the input of a build: the Dockerfile, the main context, its ignore file, image configs.
 *
 *	struct context *x = context_new(bridge, &options, inputs, work, error);
 *	const struct source_file *file = context_read_dockerfile(x, error);
 *	context_main(x, graph, follow_paths, &files, error);
 *
 * One instance serves all platforms of a request and caches its results. Borrows bridge, options, inputs and work.
 * Thread: any (.mu guards the cached results).
 */
#pragma once
#include "frontend/dockerfile/options.h"
#include "frontend/dockerfile/source_error.h"
#include "llb/build.h"
#include "worker/bridge.h"

typedef struct context context;

context *context_new(bridge *b, const struct options *o, GHashTable *inputs, struct work *work, GError **error);
/* A context whose main context must not be used. */
context *context_new_without_main(bridge *b, const struct options *o, GHashTable *inputs, struct work *work);
void context_free(context *x);
/* The result is borrowed from the context. */
const struct source_file *context_read_dockerfile(context *x, GError **error);
/*
 * Returns the patterns of the main context's ignore file; *ret is NULL if there are none, or if the context is not
 * local.
 */
bool context_ignore(context *x, const char *const **ret, GError **error);
/* follow_paths: sorted, NULL-terminated; NULL: all files. */
bool context_main(context *x, llb_graph *g, const char *const *follow_paths, struct llb_out *ret, GError **error);
/* Returns the source op of a git or http main context, from which its time is read; NULL: it has none. */
const char *context_main_source(const context *x, const char *const **ret_attrs);
bool context_main_is_archive(const context *x);

struct context_image {
	const char *ref;    /* possibly changed by policy */
	const char *digest; /* "" */
	GBytes *config;     /* borrowed */
	const char *other;  /* set on error: a policy replaced the image by this source of another kind */
};
/* Resolves an image once per (ref, platform, store) and request; failures are cached, too. */
bool context_resolve_image(context *x, const struct bridge_image_request *r, struct context_image *ret, GError **error);
/* Resolves several images in parallel; failures are reported when the image is requested. */
void context_prefetch_images(context *x, const struct bridge_image_request *requests, size_t n);

bridge *context_bridge(const context *x);
struct work *context_work(const context *x);
const struct options *context_options(const context *x);
const char *context_session(const context *x, const char *local);
const Pb__Definition *context_input(const context *x, const char *name); /* NULL: no such input */
/* Solve a definition, and read a file of its result: NULL without an error if there is no such file. */
bool context_solve(context *x, llb_graph *g, struct llb_out out, bool evaluate, build_result **ret, GError **error);
GBytes *context_read_file(context *x, build_result *r, const char *path, int64_t length, GError **error);

/* Formats ["a","b"] for source attributes. */
char *context_json_list(arena *a, const char *const *list);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(context, context_free)
