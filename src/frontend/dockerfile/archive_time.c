/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/dockerfile/archive_time.h"
#include "base/error.h"
#include "base/limits.h"
#include "snapshot/libarchive.h"

static struct archive *open_tar(const void *bytes, size_t n)
{
	struct archive *tar = libarchive.read_new();
	libarchive.read_support_filter_gzip(tar);
	libarchive.read_support_filter_bzip2(tar);
	libarchive.read_support_filter_xz(tar);
	libarchive.read_support_filter_zstd(tar);
	libarchive.read_support_format_tar(tar);
	(void)libarchive.read_open_memory(tar, bytes, n); /* errors appear at the first entry */
	return tar;
}

bool archive_newest(const void *bytes, size_t n, bool *ret_known, int64_t *ret_s, GError **error)
{
	if (!libarchive_load(error))
		return false;
	struct archive *tar = open_tar(bytes, n);
	struct archive_entry *entry;
	bool known = false, ok = true;
	int64_t newest = 0;
	int status;
	while (ok && ((status = libarchive.read_next_header(tar, &entry)) == ARCHIVE_OK || status == ARCHIVE_WARN)) {
		if (libarchive.entry_filetype(entry) == AE_IFREG && !libarchive.entry_hardlink(entry)) {
			newest = known ? MAX(newest, libarchive.entry_mtime(entry)) : libarchive.entry_mtime(entry);
			known = true;
		}
		/* Includes the bytes that reading the next header has to unpack. */
		int64_t size = libarchive.entry_size(entry);
		ok = (size <= LIMIT_ARCHIVE_TIME_BYTES &&
		      libarchive.filter_bytes(tar, 0) + size <= LIMIT_ARCHIVE_TIME_BYTES) ||
		     error_set(error, ERROR_RESOURCE_EXHAUSTED, "archive unpacks to more than %lld bytes",
			       LIMIT_ARCHIVE_TIME_BYTES);
	}
	if (ok && status != ARCHIVE_EOF) {
		const char *why = libarchive.error_string(tar);
		ok = error_set(error, ERROR_UNKNOWN, "archive: %s", why ? why : "not a tar archive");
	}
	libarchive.read_free(tar);
	if (ok) {
		*ret_known = known;
		*ret_s = newest;
	}
	return ok;
}
