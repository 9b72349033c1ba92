/* SPDX-License-Identifier: Apache-2.0 */
/*
 * apply: a tar stream becomes a tree beneath a root fd (reliability-and-security.md section 4.2).
 *
 *	struct apply_options options = {.mode = APPLY_OVERLAY, .cancel = work->cancel};
 *	struct apply_result result;
 *	if (!apply_blob(blob_fd, root_fd, &options, &result, error)) ...     the tree is half done: drop it
 *	if (!digest_equal(&result.diff_id, &layer->diff_id)) ...              before anybody may see it
 *
 * Owner ids, modes, times, xattrs, hard links, sparse files and devices as the stream has them. Nothing outside of
 * root_fd is ever touched, whatever the stream says. fds are borrowed. Thread: any.
 */
#pragma once
#include "base/cancel.h"
#include "base/digest.h"
#include "format/compress.h"
#include <sys/types.h>

enum apply_mode {
	APPLY_OVERLAY, /* root is an overlay upper: whiteouts become 0:0 devices, opaque marks trusted.overlay.opaque */
	APPLY_NATIVE,  /* root is a full tree: whiteouts remove what earlier layers left there */
	APPLY_ARCHIVE, /* ADD: whiteouts are ordinary files */
};
struct apply_options {
	enum apply_mode mode;
	bool has_owner; /* every entry gets uid and gid; parents that the stream leaves out are root's, as upstream */
	uid_t uid;
	gid_t gid;
	bool has_time; /* everything gets time_ns as its times */
	int64_t time_ns;
	/*
	 * OVERLAY: directories of the layers below, top first. A parent that the stream leaves out gets the attributes it
	 * has there. May be none.
	 */
	const int *lower_fds;
	size_t n_lowers;
	/*
	 * Trees that may have the very files of the stream, top first: what is found there with the same size, owner, mode
	 * and time gets another name instead of a copy. For streams made of those trees only.
	 */
	const int *link_fds;
	size_t n_links;
	bool again;       /* OVERLAY: root holds what earlier streams left there, which whiteouts take away as well */
	bool user_xattrs; /* OVERLAY in a user namespace: user.overlay.opaque, no devices */
	bool allow_high_ratio; /* LIMIT_EXPANSION_RATIO is not enforced */
	cancel *cancel;        /* may be NULL */
};
/* ARCHIVE mode stops reading at the archive's end: diff_id and stream_bytes then say nothing. */
struct apply_result {
	struct digest diff_id; /* sha256 of the whole uncompressed stream, padding included */
	int64_t stream_bytes;  /* of the uncompressed stream */
	int64_t entries;
	int64_t dropped_xattrs; /* overlay's own and trusted ones that the stream tried to set */
};

/* Bytes from a source: fills at most n, returns how many, 0 at the end, -1 with error. */
typedef ssize_t (*bytes_source_fn)(void *data, void *buffer, size_t n, GError **error);

/*
 * A blob from its current position to its end: gzip, zstd or plain, in ARCHIVE mode also bzip2 and xz. Decompression
 * and hashing run beside extraction. Errors: DATA_LOSS for broken streams, INVALID_ARGUMENT for refused entries.
 */
bool apply_blob(int blob_fd, int root_fd, const struct apply_options *options, struct apply_result *ret,
		GError **error);
/* A plain tar stream. */
bool apply_stream(bytes_source_fn source, void *data, int root_fd, const struct apply_options *options,
		  struct apply_result *ret, GError **error);
/* 1 when a regular file begins as an archive that ADD unpacks (tar, compressed or not), 0, or -1. Keeps its position. */
int apply_is_archive(int fd, GError **error);
