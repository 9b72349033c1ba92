/* SPDX-License-Identifier: Apache-2.0 */
/*
 * validate: the checks of llb_load, one op at a time (llb-and-solver.md section 5).
 *
 *	if (!llb_op_validate(op, &n_outputs, error)) ...
 *	if (!llb_caps_check(metadata, supported, error)) ...
 *	char *name = llb_op_name(op, inputs);
 *
 * Thread: any.
 */
#pragma once
#include "llb/definition.h"

/* Everything an index of the op can point at, limits included. ret_outputs: how many results it has. */
bool llb_op_validate(const Pb__Op *op, size_t *ret_outputs, GError **error);
bool llb_caps_check(const Pb__OpMetadata *metadata, const char *const *supported, GError **error);
/* What the vertex is called without llb.customname; inputs have their names already. */
char *llb_op_name(const Pb__Op *op, const struct llb_input *inputs);
