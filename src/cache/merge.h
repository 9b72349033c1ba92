/* SPDX-License-Identifier: Apache-2.0 */
/*
 * merge: records that combine others: merges of several records and differences of two.
 *
 *	g_autoptr(GPtrArray) units = merge_units(r);            the layers r is made of, bottom first
 *
 * Units are the records whose own layers, applied in order, give the tree. The units of a layer record are its chain, those
 * of a merge are the units of its inputs. The units of a diff are those that upper has in addition to lower, or the diff
 * itself when lower is not an ancestor of upper. Nothing is made until a tree is requested. Layers without a parent cannot delete anything, so
 * overlayfs stacks them as they are; all others are applied to a separate tree of the merge. Thread: any.
 */
#pragma once
#include "cache/record.h"

/* Of cache_ref *, borrowed. NULL: no units. */
GPtrArray *merge_units(cache_ref *r);
/* Lists the records whose trees are needed for a tree of r, r last; a record that has a tree needs no others. */
GPtrArray *merge_needed_locked(cache_ref *r);
/* Makes the tree of a merge or diff record. All records of its needs list must have trees. */
struct tree *merge_make_tree(cache_ref *r, struct work *work, GError **error);
/* Called after loading: derives the units from the inputs. */
void merge_restore_units(cache *c);
