/* SPDX-License-Identifier: Apache-2.0 */
#include "export/tar_stream.h"
#include "base/scope.h"
#include "base/time.h"
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES (256 * 1024)

static char type_of(const struct fssync_stat *stat)
{
	if (stat->mode & FSSYNC_MODE_SYMLINK)
		return '2';
	if (stat->mode & FSSYNC_MODE_DIR)
		return '5';
	if (*stat->linkname)
		return '1';
	if (stat->mode & FSSYNC_MODE_CHAR_DEVICE)
		return '3';
	if (stat->mode & FSSYNC_MODE_DEVICE)
		return '4';
	return stat->mode & FSSYNC_MODE_PIPE ? '6' : '0';
}

bool tar_stream_header(tar_writer *w, const struct fssync_stat *stat, GError **error)
{
	g_autofree char *name = g_strconcat(stat->path, stat->mode & FSSYNC_MODE_DIR ? "/" : "", NULL);
	g_autofree struct tar_xattr *xattrs = g_new(struct tar_xattr, stat->n_xattrs);
	for (size_t i = 0; i < stat->n_xattrs; i++)
		xattrs[i] = (struct tar_xattr){stat->xattrs[i].name, stat->xattrs[i].value, stat->xattrs[i].len};
	if (stat->n_xattrs > 1)
		qsort(xattrs, stat->n_xattrs, sizeof *xattrs, tar_xattr_order);
	struct timespec mtime = timespec_from_ns(stat->mtime_ns);
	struct tar_entry e = {
		.name = name,
		.link = stat->linkname,
		.type = type_of(stat),
		.mode = fssync_mode_to_st(stat->mode) & 07777,
		.uid = stat->uid,
		.gid = stat->gid,
		.mtime_s = mtime.tv_sec + (mtime.tv_nsec >= NS_PER_S / 2),
		.xattrs = xattrs,
		.n_xattrs = stat->n_xattrs,
	};
	if (e.type == '0')
		e.size = stat->size;
	if (e.type == '3' || e.type == '4') {
		e.device_major = stat->devmajor;
		e.device_minor = stat->devminor;
	}
	return tar_writer_entry(w, &e, error);
}

bool tar_stream_data(tar_writer *w, int fd, int64_t size, cancel *c, GError **error)
{
	g_autofree char *chunk = g_malloc((gsize)MIN(size + 1, CHUNK_BYTES));
	for (int64_t left = size; left > 0;) {
		ssize_t n = read(fd, chunk, (size_t)MIN(left, CHUNK_BYTES));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set_errno(error, errno, "read");
		if (n == 0)
			return error_set(error, ERROR_DATA_LOSS, "file became shorter while it was sent");
		if (!cancel_check(c, error) || !tar_writer_data(w, chunk, (size_t)n, error))
			return false;
		left -= n;
	}
	return true;
}
