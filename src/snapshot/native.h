/* SPDX-License-Identifier: Apache-2.0 */
/*
 * native: makes child trees as full copies of their parents (with reflinks if the file system supports them).
 *
 *	native_copy_tree(src_fd, dst_fd, false, cancel, error);
 *
 * Owners, modes, times, xattrs and hard links are kept. Thread: any.
 */
#pragma once
#include "base/cancel.h"

/*
 * Copies everything beneath src_fd to the empty directory dst_fd, then the directory's own metadata; share: hard-links
 * files.
 */
bool native_copy_tree(int src_fd, int dst_fd, bool share, cancel *stop, GError **error);
