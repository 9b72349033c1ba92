/* SPDX-License-Identifier: Apache-2.0 */
/*
 * subrequest: questions about a Dockerfile that are answered without building it (option "requestid").
 *
 *	subrequest_answer("frontend.outline", context, file, warn, user, &result, error);   result.json, result.txt, version
 *
 * Errors: UNIMPLEMENTED for an unknown question. Thread: any.
 */
#pragma once
#include "frontend/dockerfile/context.h"
#include "frontend/dockerfile/lint.h"

/* warn: gets the warnings of a question that converts the file. */
bool subrequest_answer(const char *id, context *x, const struct source_file *file, lint_sink warn, void *warn_user,
		       build_result **ret, GError **error);
