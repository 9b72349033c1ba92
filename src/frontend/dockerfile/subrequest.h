/* SPDX-License-Identifier: Apache-2.0 */
/*
 * subrequest: requests about a Dockerfile that are answered without a build (option "requestid").
 *
 *	subrequest_answer("frontend.outline", context, file, warn, user, &result, error);   result.json, result.txt, version
 *
 * Errors: UNIMPLEMENTED for an unknown request. Thread: any.
 */
#pragma once
#include "frontend/dockerfile/context.h"
#include "frontend/dockerfile/lint.h"

/* warn: receives the warnings if the request converts the file. */
bool subrequest_answer(const char *id, context *x, const struct source_file *file, lint_sink warn, void *warn_user,
		       build_result **ret, GError **error);
