/* SPDX-License-Identifier: Apache-2.0 */
/*
 * validate: the checks of llb_load for one op.
 *
 *	if (!llb_op_validate(op, &n_outputs, error)) ...
 *	if (!llb_caps_check(metadata, supported, error)) ...
 *	char *name = llb_op_name(op, inputs);
 *
 * Thread: any.
 */
#pragma once
#include "llb/definition.h"

/* Validates all indices and limits of an op. ret_outputs: its number of results. */
bool llb_op_validate(const Pb__Op *op, size_t *ret_outputs, GError **error);
bool llb_caps_check(const Pb__OpMetadata *metadata, const char *const *supported, GError **error);
/* Returns the vertex name for an op without llb.customname; the inputs must have names. */
char *llb_op_name(const Pb__Op *op, const struct llb_input *inputs);
