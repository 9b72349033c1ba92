/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ctd_mounts: finds the directories of a snapshot in the mounts that a snapshotter returns for it.
 *
 *	struct ctd_place place;
 *	if (!ctd_place_find(mounts, n, "overlayfs", &place, error)) ...
 *	ctd_place_clear(&place);
 *
 * The mounts are not used as they are: the cache stacks directories itself. A snapshotter is therefore usable if it
 * returns one mount, an overlay or a bind of a directory. Paths must be absolute and have no "." or ".." components.
 * Thread: any.
 */
#pragma once
#include "base/error.h"
#include "ctd_types.pb-c.h"
#include <stdbool.h>

typedef struct ctd_place {
	bool is_overlay;
	char *fs; /* owned: the upper directory; of a read-only overlay, the uppermost lower one; the source of a bind */
	char *work; /* owned: the work directory; NULL: not an overlay that can be written to */
} ctd_place;
/* name: the snapshotter, for messages. Errors: UNIMPLEMENTED for other mounts, FAILED_PRECONDITION for bad paths. */
bool ctd_place_find(Ctd__Mount *const *mounts, size_t n, const char *name, struct ctd_place *ret, GError **error);
void ctd_place_clear(struct ctd_place *p);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ctd_place, ctd_place_clear)
