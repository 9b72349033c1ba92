/* SPDX-License-Identifier: Apache-2.0 */
/*
 * syntax_version: checks the version in "docker/dockerfile:VERSION" against the built-in Dockerfile language.
 *
 *	g_autofree char *warning = NULL;
 *	if (!syntax_version_check("docker/dockerfile:1", &warning, error)) ...
 *
 * Releases up to DOCKERFILE_VERSION are accepted: later releases can read files of earlier ones. A newer release is an
 * error. Versions that cannot be compared, such as a digest or the labs channel, are accepted with a warning. Pure.
 * Thread: any.
 */
#pragma once
#include "base/error.h"

/* source: a name that dockerfile_serves_source accepts. *ret_warning: owned; NULL: no warning. */
bool syntax_version_check(const char *source, char **ret_warning, GError **error);
