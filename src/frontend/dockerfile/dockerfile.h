/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dockerfile: the built-in frontend "dockerfile.v0".
 *
 *	dockerfile_frontend.solve(bridge, options, inputs, work, &result, error);
 *	if (dockerfile_implements("docker/dockerfile:1", dockerfile_repositories)) ...     used instead of the image
 *
 * Errors about the Dockerfile carry "errdefs.Source" details. Thread: any.
 */
#pragma once
#include "worker/bridge.h"

extern const struct frontend dockerfile_frontend;
/* The repositories of the official Dockerfile frontend, NULL-terminated. */
extern const char *const dockerfile_repositories[];
/*
 * Reports whether an image reference is in one of the repositories (normalised names, NULL-terminated) and asks for a
 * version that this frontend implements completely. A reference with a digest asks for exactly that image.
 */
bool dockerfile_implements(const char *source, const char *const *repositories);
/* Reports whether an image reference names a labs channel. NULL does not. */
bool dockerfile_names_labs(const char *source);
