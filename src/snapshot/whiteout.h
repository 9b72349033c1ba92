/* SPDX-License-Identifier: Apache-2.0 */
/*
 * whiteout: deleted names in layers (OCI image-spec, layer.md, "Whiteouts"), in both representations.
 *
 *	whiteout_kind_of(".wh.name", &kind, error)
 *	whiteout_make(dir_fd, "name", false, false, error)         overlay: a character device 0:0
 *	whiteout_clear_entry(dir_fd, "name", made, error)   a full tree: removes the entry
 *
 * made: a set of inode numbers (guint64 *) created by the same stream; they are never removed. Private to snapshot.
 * Thread: any.
 */
#pragma once
#include "base/error.h"

#define WHITEOUT_PREFIX ".wh."
#define WHITEOUT_OPAQUE_NAME ".wh..wh..opq"

/* IGNORED: other ".wh..wh." names, which AUFS uses internally. */
enum whiteout_kind { WHITEOUT_NONE, WHITEOUT_ENTRY, WHITEOUT_OPAQUE, WHITEOUT_IGNORED };

/* Errors: INVALID_ARGUMENT for a whiteout of "", "." or "..". */
bool whiteout_kind_of(const char *base_name, enum whiteout_kind *ret, GError **error);

/* as_file: where devices 0:0 are not permitted (on overlayfs), makes the file .wh.NAME, which fuse-overlayfs understands. */
bool whiteout_make(int dir_fd, const char *name, bool user_xattrs, bool as_file, GError **error);
bool whiteout_set_opaque(int dir_fd, bool user_xattrs, GError **error);
/* Returns 1 if trusted.overlay.opaque or user.overlay.opaque is "y", 0 if not, -1. */
int whiteout_is_opaque(int dir_fd, GError **error);

bool whiteout_clear_entry(int dir_fd, const char *name, GHashTable *made, GError **error);
bool whiteout_clear_dir(int dir_fd, GHashTable *made, GError **error);
