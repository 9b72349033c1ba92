/* SPDX-License-Identifier: Apache-2.0 */
/*
 * syntax_version: compares the version in "docker/dockerfile:VERSION" with the built-in Dockerfile language.
 *
 *	if (syntax_version_is_complete(reference->tag)) ...        the built-in frontend implements all of it
 *
 * Complete are releases up to DOCKERFILE_VERSION, because later releases can read files of earlier ones, "latest", and
 * the labs channels of releases that had no feature which is missing here. Pure. Thread: any.
 */
#pragma once
#include <stdbool.h>

/* tag: NULL is "latest". */
bool syntax_version_is_complete(const char *tag);
