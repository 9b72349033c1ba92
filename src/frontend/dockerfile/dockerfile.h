/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dockerfile: the built-in frontend "dockerfile.v0".
 *
 *	dockerfile_frontend.solve(bridge, options, inputs, work, &result, error);
 *	if (dockerfile_serves_source("docker/dockerfile:1")) ...        instead of pulling the frontend's image
 *
 * Errors about the Dockerfile carry "errdefs.Source" details. Thread: any.
 */
#pragma once
#include "worker/bridge.h"

extern const struct frontend dockerfile_frontend;
/* Whether a gateway source or a syntax line names the official Dockerfile frontend, whose language this is. */
bool dockerfile_serves_source(const char *source);
