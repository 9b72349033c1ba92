/* SPDX-License-Identifier: Apache-2.0 */
/*
 * archive_time: the newest regular file of a tar archive, compressed or not.
 *
 *	if (!archive_newest(bytes, n, &known, &seconds, error)) ...        known false: it has none
 *
 * Errors: what is no archive, and one that unpacks to more than L25t. Thread: any.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <glib.h>

bool archive_newest(const void *bytes, size_t n, bool *ret_known, int64_t *ret_s, GError **error);
