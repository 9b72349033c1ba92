/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/dockerfile/archive_time.h"
#include "base/error.h"
#include "base/limits.h"
#include <archive.h>
#include <archive_entry.h>

static struct archive *open_tar(const void *bytes, size_t n)
{
	struct archive *tar = archive_read_new();
	archive_read_support_filter_gzip(tar);
	archive_read_support_filter_bzip2(tar);
	archive_read_support_filter_xz(tar);
	archive_read_support_filter_zstd(tar);
	archive_read_support_format_tar(tar);
	(void)archive_read_open_memory(tar, bytes, n); /* what is wrong shows at the first entry */
	return tar;
}

bool archive_newest(const void *bytes, size_t n, bool *ret_known, int64_t *ret_s, GError **error)
{
	struct archive *tar = open_tar(bytes, n);
	struct archive_entry *entry;
	bool known = false, ok = true;
	int64_t newest = 0;
	int status;
	while (ok && ((status = archive_read_next_header(tar, &entry)) == ARCHIVE_OK || status == ARCHIVE_WARN)) {
		if (archive_entry_filetype(entry) == AE_IFREG && !archive_entry_hardlink(entry)) {
			newest = known ? MAX(newest, archive_entry_mtime(entry)) : archive_entry_mtime(entry);
			known = true;
		}
		ok = archive_filter_bytes(tar, 0) <= LIMIT_ARCHIVE_TIME_BYTES ||
		     error_set(error, ERROR_RESOURCE_EXHAUSTED, "archive unpacks to more than %lld bytes", LIMIT_ARCHIVE_TIME_BYTES);
	}
	if (ok && status != ARCHIVE_EOF) {
		const char *why = archive_error_string(tar);
		ok = error_set(error, ERROR_UNKNOWN, "archive: %s", why ? why : "not a tar archive");
	}
	archive_read_free(tar);
	if (ok) {
		*ret_known = known;
		*ret_s = newest;
	}
	return ok;
}
