/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tar_writer: a tar stream (POSIX.1-1988 headers, PAX records where those are too small), the same bytes for the same
 * input, chosen as Go's archive/tar chooses them so that layers agree with upstream's.
 *
 *	tar_writer_header(w, &header, error); tar_writer_data(w, bytes, n, error) ...; tar_writer_finish(w, error)
 *
 * Thread: one at a time.
 */
#pragma once
#include "format/compress.h"
#include <sys/types.h>

struct tar_xattr {
	const char *name;
	const void *value;
	size_t len;
};
struct tar_header {
	const char *name; /* directories end in '/' */
	const char *link; /* NULL: none */
	char type;        /* '0' file, '1' hard link, '2' symlink, '3' char, '4' block, '5' directory, '6' FIFO */
	mode_t mode;      /* permission bits */
	uid_t uid;
	gid_t gid;
	int64_t size; /* bytes of data that follow */
	int64_t mtime_s;
	unsigned device_major, device_minor;
	const struct tar_xattr *xattrs; /* sorted by name */
	size_t n_xattrs;
};
typedef struct tar_writer tar_writer;

tar_writer *tar_writer_new(bytes_sink_fn sink, void *data);
void tar_writer_free(tar_writer *w);
/* The data of the entry before must be whole. */
bool tar_writer_header(tar_writer *w, const struct tar_header *h, GError **error);
bool tar_writer_data(tar_writer *w, const void *bytes, size_t n, GError **error);
bool tar_writer_finish(tar_writer *w, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(tar_writer, tar_writer_free)
