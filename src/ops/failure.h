/* SPDX-License-Identifier: Apache-2.0 */
/*
 * failure: the trees that a failed op leaves, kept by its error, so that a client can look at them.
 *
 *	op_failure *f = op_failure_new(n_inputs, n_mounts);
 *	f->inputs[0] = cache_ref_ref(input);
 *	op_failure_attach(f, op, "\"file\":{\"index\":\"0\"}", error);         takes f
 *	const op_failure *f = op_failure_get(error);                     borrowed; NULL: none
 *
 * Counted. Thread: immutable once it is attached.
 */
#pragma once
#include "ops/op.h"

typedef struct op_failure {
	gint refs;
	cache_ref **inputs,
		**mounts; /* owned; NULL: none. By mount of an exec op; by input and by action of a file op */
	size_t n_inputs, n_mounts;
} op_failure;
op_failure *op_failure_new(size_t n_inputs, size_t n_mounts);
/* Adds the errdefs.Solve detail with the op and the subject, too. subject: members of its JSON; NULL: none. */
void op_failure_attach(op_failure *f, const struct op *op, const char *subject, GError *error);
const op_failure *op_failure_get(const GError *error);
