/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frontend_image: finds the image of a frontend: a named context of the request, or an image of a registry.
 *
 *	struct frontend_image image;
 *	if (!frontend_image_find(bridge, options, inputs, "docker/dockerfile:1", work, &image, error)) ...
 *	... solve image.definition, start image.entrypoint ...
 *	frontend_image_clear(&image);
 *
 * Everything is owned by the struct. Errors: upstream's. Thread: any; calls block.
 */
#pragma once
#include "worker/bridge.h"

struct frontend_image {
	Pb__Definition *definition;    /* its root file system */
	char digest[DIGEST_TEXT_SIZE]; /* of the manifest or index; "": not known */
	char **entrypoint;             /* NULL: none */
	char **env;                    /* never NULL */
	char *working_dir;             /* "": none */
	GHashTable *labels;            /* char * to char * */
};
/* inputs: char * to Pb__Definition *, may be NULL. */
bool frontend_image_find(bridge *b, GHashTable *options, GHashTable *inputs, const char *source, struct work *work,
			 struct frontend_image *ret, GError **error);
/* Sets everything but definition and digest from an image config. */
bool frontend_image_read_config(struct frontend_image *ret, const void *bytes, size_t n, GError **error);
void frontend_image_clear(struct frontend_image *image);
/* Reports whether the options have a context that replaces the image. */
bool frontend_image_has_context(GHashTable *options, const char *source);
