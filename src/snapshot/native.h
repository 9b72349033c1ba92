/* SPDX-License-Identifier: Apache-2.0 */
/*
 * native: a child tree is a full copy of its parent (reflinks where the file system has them).
 *
 *	native_copy_tree(src_fd, dst_fd, false, cancel, error);
 *
 * Owners, modes, times, xattrs and hard links are kept. Thread: any.
 */
#pragma once
#include "base/cancel.h"

/* Everything beneath src_fd into the empty directory dst_fd, then the directory's own metadata; share: files are linked. */
bool native_copy_tree(int src_fd, int dst_fd, bool share, cancel *stop, GError **error);
