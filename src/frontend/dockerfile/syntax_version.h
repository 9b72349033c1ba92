/* SPDX-License-Identifier: Apache-2.0 */
/*
 * syntax_version: whether the Dockerfile language built in here is the one that "docker/dockerfile:VERSION" asks for.
 *
 *	g_autofree char *warning = NULL;
 *	if (!syntax_version_check("docker/dockerfile:1", &warning, error)) ...
 *
 * A release up to DOCKERFILE_VERSION is: later ones read the files of earlier ones. A newer release is an error. What
 * cannot be compared, such as a digest or the labs channel, is served with a warning. Pure. Thread: any.
 */
#pragma once
#include "base/error.h"

/* source: a name that dockerfile_serves_source accepts. *ret_warning: owned, NULL: none. */
bool syntax_version_check(const char *source, char **ret_warning, GError **error);
