/* SPDX-License-Identifier: Apache-2.0 */
/*
 * whiteout: what a layer says of names that are gone (OCI image-spec, layer.md, "Whiteouts"), in both representations.
 *
 *	whiteout_kind_of(".wh.name", &kind, error)
 *	whiteout_make(dir_fd, "name", false, error)         overlay: a character device 0:0
 *	whiteout_clear_entry(dir_fd, "name", made, error)   a full tree: the removal itself
 *
 * made: a set of inode numbers (guint64 *) that the same stream made; they are never removed. Inside snapshot only.
 * Thread: any.
 */
#pragma once
#include "base/error.h"

#define WHITEOUT_PREFIX ".wh."
#define WHITEOUT_OPAQUE_NAME ".wh..wh..opq"

/* IGNORED: other ".wh..wh." names, which are housekeeping of AUFS. */
enum whiteout_kind { WHITEOUT_NONE, WHITEOUT_ENTRY, WHITEOUT_OPAQUE, WHITEOUT_IGNORED };

/* Errors: INVALID_ARGUMENT for a whiteout of nothing, "." or "..". */
bool whiteout_kind_of(const char *base_name, enum whiteout_kind *ret, GError **error);

bool whiteout_make(int dir_fd, const char *name, bool user_xattrs, GError **error);
bool whiteout_set_opaque(int dir_fd, bool user_xattrs, GError **error);
/* 1 yes, 0 no, -1. trusted.overlay.opaque or user.overlay.opaque is "y". */
int whiteout_is_opaque(int dir_fd, GError **error);

bool whiteout_clear_entry(int dir_fd, const char *name, GHashTable *made, GError **error);
bool whiteout_clear_dir(int dir_fd, GHashTable *made, GError **error);
