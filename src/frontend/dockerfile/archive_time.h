/* SPDX-License-Identifier: Apache-2.0 */
/*
 * archive_time: the time of the newest regular file of a tar archive, which may be compressed.
 *
 *	if (!archive_newest(bytes, n, &known, &seconds, error)) ...        known is false if it has no regular file
 *
 * Fails if the bytes are not an archive, or if it unpacks to more than LIMIT_ARCHIVE_TIME_BYTES. Thread: any.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <glib.h>

bool archive_newest(const void *bytes, size_t n, bool *ret_known, int64_t *ret_s, GError **error);
