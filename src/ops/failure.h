/* SPDX-License-Identifier: Apache-2.0 */
/*
 * failure: the trees that a failed op leaves, kept by its error, so that a client can look at them.
 *
 *	op_failure *f = op_failure_new(n_inputs, n_mounts);
 *	f->inputs[0] = cache_ref_ref(input);
 *	op_failure_attach(f, op, "\"file\":{\"index\":\"0\"}", error);         takes f
 *	op_failure *f = op_failure_get(error);                           borrowed; NULL: none
 *	cache_ref *tree = op_failure_input(f, 0);                        counted
 *
 * Counted. The solver keeps the error as long as the op may be requested, and thus the trees, unless op_failure_release
 * drops them. Thread: the builder of one has it alone until it is attached; then any.
 */
#pragma once
#include "ops/op.h"

typedef struct op_failure {
	gint refs;
	GMutex mu; /* guards the trees and holders */
	cache_ref **inputs,
		**mounts; /* owned; NULL: none. By mount of an exec op; by input and by action of a file op */
	size_t n_inputs, n_mounts;
	unsigned holders; /* op_failure_hold */
} op_failure;
op_failure *op_failure_new(size_t n_inputs, size_t n_mounts);
/* Adds the errdefs.Solve detail with the op and the subject, too. subject: members of its JSON; NULL: none. */
void op_failure_attach(op_failure *f, const struct op *op, const char *subject, GError *error);
op_failure *op_failure_get(const GError *error);
/* Counted; NULL: none. */
cache_ref *op_failure_input(op_failure *f, size_t i);
cache_ref *op_failure_mount(op_failure *f, size_t i);
/* The caller uses the trees later. Counted, like a reference, until op_failure_release or op_failure_unhold. */
op_failure *op_failure_hold(op_failure *f);
void op_failure_unhold(op_failure *f);
/* The same, and drops the trees if no other caller holds them. */
void op_failure_release(op_failure *f);
