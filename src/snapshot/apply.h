/* SPDX-License-Identifier: Apache-2.0 */
/*
 * apply: extracts a tar stream to a tree beneath a root fd.
 *
 *	struct apply_options options = {.mode = APPLY_OVERLAY, .cancel = work->cancel};
 *	struct apply_result result;
 *	if (!apply_blob(blob_fd, root_fd, &options, &result, error)) ...     the tree is incomplete: remove it
 *	if (!digest_equal(&result.diff_id, &layer->diff_id)) ...              check it before the tree is used
 *
 * Owner ids, modes, times, xattrs, hard links, sparse files and devices are taken from the stream. Nothing outside of
 * root_fd is modified, whatever the stream contains. fds are borrowed. Thread: any.
 */
#pragma once
#include "base/cancel.h"
#include "base/digest.h"
#include "format/compress.h"
#include <sys/types.h>

enum apply_mode {
	APPLY_OVERLAY, /* root is an overlay upper: whiteouts become 0:0 devices, opaque marks trusted.overlay.opaque */
	APPLY_NATIVE,  /* root is a full tree: whiteouts remove entries of earlier layers */
	APPLY_ARCHIVE, /* ADD: whiteouts are ordinary files */
};
struct apply_options {
	enum apply_mode mode;
	bool has_owner; /* every entry gets uid and gid; parents missing in the stream belong to root, as upstream */
	uid_t uid;
	gid_t gid;
	bool has_time; /* all entries get time_ns as their times */
	int64_t time_ns;
	/*
	 * OVERLAY: directories of the layers below, top first. A parent that is missing in the stream gets its
	 * attributes from there. May be empty.
	 */
	const int *lower_fds;
	size_t n_lowers;
	/*
	 * Trees that may contain the same files as the stream, top first: a file found there with the same size, owner,
	 * mode and time is hard-linked instead of copied. Only for streams made from these trees.
	 */
	const int *link_fds;
	size_t n_links;
	bool again;          /* OVERLAY: root contains results of earlier streams, which whiteouts remove as well */
	bool whiteout_files; /* OVERLAY for fuse-overlayfs: see whiteout_make */
	bool user_xattrs;    /* OVERLAY: opaque marks are user.overlay.opaque, as in a user namespace */
	/*
	 * windows: the stream is a layer of a Windows image (see windows_layer.h). refuse_windows: one that begins like
	 * such a layer is refused (UNIMPLEMENTED).
	 */
	bool windows, refuse_windows;
	bool allow_high_ratio; /* LIMIT_EXPANSION_RATIO is not enforced */
	/*
	 * ARCHIVE: called before attributes of an existing file are changed through a hard link, so that a file which
	 * other trees have in common is replaced by a copy. May be NULL.
	 */
	bool (*unshare)(void *data, int dir_fd, const char *name, GError **error);
	void *unshare_data;
	cancel *cancel; /* may be NULL */
};
/* ARCHIVE mode stops reading at the archive's end: diff_id and stream_bytes are then undefined. */
struct apply_result {
	struct digest diff_id; /* sha256 of the whole uncompressed stream, padding included */
	int64_t stream_bytes;  /* of the uncompressed stream */
	int64_t entries;
	int64_t dropped_xattrs; /* overlay's own and trusted ones that the stream contained */
};

/* Reads bytes: fills at most n, returns the number, 0 at the end, -1 with error. */
typedef ssize_t (*bytes_source_fn)(void *data, void *buffer, size_t n, GError **error);

/*
 * Extracts a blob from its current position to its end: gzip, zstd or plain, in ARCHIVE mode also bzip2 and xz.
 * Decompression and hashing run in parallel with extraction. Errors: DATA_LOSS for invalid streams, INVALID_ARGUMENT
 * for refused entries.
 */
bool apply_blob(int blob_fd, int root_fd, const struct apply_options *options, struct apply_result *ret,
		GError **error);
/* Extracts a plain tar stream. */
bool apply_stream(bytes_source_fn source, void *data, int root_fd, const struct apply_options *options,
		  struct apply_result *ret, GError **error);
/* Returns 1 if a regular file is an archive that ADD unpacks (tar, compressed or not), 0, or -1. Keeps its position. */
int apply_is_archive(int fd, GError **error);
