/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provenance_scope: one request to a frontend, and what was looked up and built for it. The root is the build's own.
 *
 *	provenance_scope *root = provenance_scope_new(NULL, "", options, NULL);
 *	provenance_scope *inner = provenance_scope_new(root, "dockerfile.v0", options, NULL);      goes with its parent
 *	provenance_scope_note_image(inner, ref, platform, digest, false);
 *	provenance_scope_note_built(inner, definition);
 *
 * Thread: any.
 */
#pragma once
#include "builder/provenance_capture.h"
#include "llb/definition.h"

typedef struct provenance_scope provenance_scope;

/* Copies the options. inputs: what made them (provenance_origins_of), taken; NULL: not known. A child is freed with its
 * parent. */
provenance_scope *provenance_scope_new(provenance_scope *parent, const char *frontend, GHashTable *options,
				       GHashTable *inputs);
void provenance_scope_free(provenance_scope *root);
/* A lookup of an image. platform may be NULL. */
void provenance_scope_note_image(provenance_scope *s, const char *ref, const struct platform *platform,
				 const char *digest, bool is_local);
/* A definition whose result was built. Counted. */
void provenance_scope_note_built(provenance_scope *s, llb_definition *definition);

/* Of a scope and all below it: images looked up (struct provenance_source *), definitions built. Owned. */
GPtrArray *provenance_scope_images(provenance_scope *s);
GPtrArray *provenance_scope_built(provenance_scope *s);
/* The request, for those who take its results as inputs. Borrowed. */
struct provenance_request provenance_scope_request(const provenance_scope *s);
/* Fills request and root of the capture. */
void provenance_scope_describe(const provenance_scope *s, provenance_capture *c);
