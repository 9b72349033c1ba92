/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file_key: the parts of an input that a file op reads, for the content key of that input.
 *
 *	g_autoptr(GArray) selectors = file_key_selectors(pb, input);
 *
 * The selectors are normalised as upstream does. Pure. Thread: any.
 */
#pragma once
#include "cache/cache.h"
#include "ops.pb-c.h"

/* Array of struct contenthash_selector, sorted by path, at least one; strings belong to pb and to the array. */
GArray *file_key_selectors(const Pb__FileOp *pb, unsigned input);
