/* SPDX-License-Identifier: Apache-2.0 */
/*
 * syntax_version: compares the version in "docker/dockerfile:VERSION" with the built-in Dockerfile language.
 *
 *	if (syntax_version_is_complete(reference->tag)) ...        the built-in frontend implements all of it
 *
 * Complete are releases up to DOCKERFILE_VERSION, because later releases can read files of earlier ones, "latest", and
 * the labs channels of both. Pure. Thread: any.
 */
#pragma once
#include <stdbool.h>

/* tag: NULL is "latest". */
bool syntax_version_is_complete(const char *tag);
/* Reports whether a tag names a labs channel: "labs", "1-labs". */
bool syntax_version_is_labs(const char *tag);
