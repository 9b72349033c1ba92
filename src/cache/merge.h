/* SPDX-License-Identifier: Apache-2.0 */
/*
 * merge: records that combine others (llb-and-solver.md section 19): merges of several, differences of two.
 *
 *	g_autoptr(GPtrArray) units = merge_units(r);            the layers r is made of, bottom first
 *
 * Units are the records whose own layers, applied in order, give the tree: of a layer record its chain, of a merge
 * those of its inputs, of a diff those that its upper has beyond its lower, or itself when the lower is no ancestor.
 * Nothing is made until a tree is asked for. Layers without a parent cannot delete anything: overlayfs stacks them as
 * they are; all others are applied to a tree of the merge's own. Thread: any.
 */
#pragma once
#include "cache/record.h"

/* Of cache_ref *, borrowed. NULL: no units. */
GPtrArray *merge_units(cache_ref *r);
/* The records whose trees a tree for r needs, r last; what has a tree needs nothing. */
GPtrArray *merge_needed_locked(cache_ref *r);
/* The tree of a merge or diff record whose needs have trees. */
struct tree *merge_make_tree(cache_ref *r, struct work *work, GError **error);
/* After loading: units follow from the inputs. */
void merge_restore_units(cache *c);
