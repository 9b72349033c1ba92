/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libarchive: the tar parser, loaded when the first archive is read. It depends on libxml2 and ICU, for formats that
 * are not used here.
 *
 *	if (!libarchive_load(error)) return false;
 *	struct archive *tar = libarchive.read_new();
 *
 * Thread: any; the functions are available after libarchive_load returned true.
 */
#pragma once
#include "os/library.h"
#include <archive.h>
#include <archive_entry.h>

#define LIBARCHIVE_CALLS(X)                                                                                            \
	X(entry_filetype)                                                                                              \
	X(entry_gid)                                                                                                   \
	X(entry_hardlink)                                                                                              \
	X(entry_mtime)                                                                                                 \
	X(entry_mtime_nsec)                                                                                            \
	X(entry_pathname)                                                                                              \
	X(entry_perm)                                                                                                  \
	X(entry_rdevmajor)                                                                                             \
	X(entry_rdevminor)                                                                                             \
	X(entry_size)                                                                                                  \
	X(entry_symlink)                                                                                               \
	X(entry_uid)                                                                                                   \
	X(entry_xattr_next)                                                                                            \
	X(entry_xattr_reset)                                                                                           \
	X(error_string)                                                                                                \
	X(filter_bytes)                                                                                                \
	X(read_data_block)                                                                                             \
	X(read_free)                                                                                                   \
	X(read_new)                                                                                                    \
	X(read_next_header)                                                                                            \
	X(read_open)                                                                                                   \
	X(read_open_memory)                                                                                            \
	X(read_support_filter_bzip2)                                                                                   \
	X(read_support_filter_gzip)                                                                                    \
	X(read_support_filter_xz)                                                                                      \
	X(read_support_filter_zstd)                                                                                    \
	X(read_support_format_tar)                                                                                     \
	X(set_error)

struct libarchive_calls {
#define X(name) typeof(archive_##name) *name;
	LIBARCHIVE_CALLS(X)
#undef X
};

extern struct libarchive_calls libarchive;

bool libarchive_load(GError **error);
