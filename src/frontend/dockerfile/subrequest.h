/* SPDX-License-Identifier: Apache-2.0 */
/*
 * subrequest: questions about a Dockerfile that are answered without building it (option "requestid").
 *
 *	subrequest_answer("frontend.outline", context, file, &result, error);      result.json, result.txt, version
 *
 * Errors: UNIMPLEMENTED for an unknown question. Thread: any.
 */
#pragma once
#include "frontend/dockerfile/context.h"

bool subrequest_answer(const char *id, context *x, const struct source_file *file, build_result **ret, GError **error);
