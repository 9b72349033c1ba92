/* SPDX-License-Identifier: Apache-2.0 */
/*
 * walk: visits the spans of an encoded ExportTraceServiceRequest without unpacking all of them at once, because the
 * structs of a message can need many times its bytes; private to this module.
 *
 *	if (!trace_walk(message, visit, data, error)) ...
 *
 * Thread: any.
 */
#pragma once
#include "base/error.h"
#include "base/scope.h"

struct trace_visit {
	struct slice resource, scope, span; /* encoded messages, borrowed; ptr NULL: absent */
	struct slice schema;                /* the schema address of the scope's spans */
};
/* Calls fn for each span until it returns false. Errors: INVALID_ARGUMENT, before the first call. */
bool trace_walk(GBytes *message, bool (*fn)(void *data, const struct trace_visit *v), void *data, GError **error);
