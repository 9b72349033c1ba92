/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dockerfile: the built-in frontend "dockerfile.v0".
 *
 *	dockerfile_frontend.solve(bridge, options, inputs, work, &result, error);
 *	if (dockerfile_serves_source("docker/dockerfile:1")) ...        use this frontend instead of the image
 *
 * Errors about the Dockerfile carry "errdefs.Source" details. Thread: any.
 */
#pragma once
#include "worker/bridge.h"

extern const struct frontend dockerfile_frontend;
/* Reports whether a gateway source or a syntax line names the official Dockerfile frontend, which is built in here. */
bool dockerfile_serves_source(const char *source);
