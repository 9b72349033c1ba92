/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provenance_scope: a request to a frontend, with the images looked up and definitions built for it. The root is the
 * build's request.
 *
 *	provenance_scope *root = provenance_scope_new(NULL, "", options, NULL);
 *	provenance_scope *inner = provenance_scope_new(root, "dockerfile.v0", options, NULL);      freed with its parent
 *	provenance_scope_note_image(inner, ref, platform, digest, false);
 *	provenance_scope_note_built(inner, definition);
 *
 * Thread: any.
 */
#pragma once
#include "provenance/capture.h"
#include "llb/definition.h"

typedef struct provenance_scope provenance_scope;

/*
 * Copies the options. inputs: origins of the inputs (provenance_origins_of), takes ownership; NULL: not known. A child
 * is freed with its parent.
 */
provenance_scope *provenance_scope_new(provenance_scope *parent, const char *frontend, GHashTable *options,
				       GHashTable *inputs);
void provenance_scope_free(provenance_scope *root);
/* Records the lookup of an image. platform may be NULL. */
void provenance_scope_note_image(provenance_scope *s, const char *ref, const struct platform *platform,
				 const char *digest, bool is_local);
/* Records a definition whose result was built. Takes a reference. */
void provenance_scope_note_built(provenance_scope *s, llb_definition *definition);

/*
 * Return the images looked up (struct provenance_source *) and the definitions built, in this scope and all scopes
 * below it. Owned.
 */
GPtrArray *provenance_scope_images(provenance_scope *s);
GPtrArray *provenance_scope_built(provenance_scope *s);
/* Returns the request, as the origin of results that other requests use. Borrowed. */
struct provenance_request provenance_scope_request(const provenance_scope *s);
/* Sets request and root of the capture. */
void provenance_scope_describe(const provenance_scope *s, provenance_capture *c);
