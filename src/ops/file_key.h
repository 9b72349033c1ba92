/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file_key: what of an input a file op looks at, for the content key of that input.
 *
 *	g_autoptr(GArray) selectors = file_key_selectors(pb, input);
 *
 * llb-and-solver.md section 10, "File normalisation". Pure. Thread: any.
 */
#pragma once
#include "cache/cache.h"
#include "ops.pb-c.h"

/* Of struct cache_selector, sorted by path, at least one; strings belong to pb and to the array. */
GArray *file_key_selectors(const Pb__FileOp *pb, unsigned input);
