/* SPDX-License-Identifier: Apache-2.0 */
/*
 * subrequest_internal: declarations shared by the handlers of subrequests.
 *
 *	static bool answer(struct question *q, GError **error) { ... question_set(q, "result.json", json); }
 *
 * Thread: any; a question belongs to one thread.
 */
#pragma once
#include "format/json_writer.h"
#include "frontend/dockerfile/convert.h"

struct question {
	context *x;
	const struct source_file *file;
	build_result *result; /* the answer, added to its metadata */
	lint_sink warn;       /* receives warnings, with warn_user */
	void *warn_user;
};
void question_set(struct question *q, const char *key, const char *text);
/* Writes "location": {"ranges": [...]}, or nothing if there are no lines. */
void question_write_location(json_writer *w, struct span span);

bool subrequest_outline(struct question *q, GError **error);
bool subrequest_lint(struct question *q, GError **error);
bool subrequest_convertllb(struct question *q, GError **error);
