/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log_file: the format of a stored progress log: (length as 32-bit little-endian, message), repeated.
 *
 *	log_file_append(file, message);
 *
 *	size_t at = 0;
 *	const uint8_t *message;
 *	for (size_t n; log_file_next(file, &at, &message, &n, error);) ...
 *
 * Thread: any, one at a time.
 */
#pragma once
#include "base/error.h"

void log_file_append(GByteArray *file, GBytes *message);
/*
 * Moves *at behind the next message, which ret borrows from the file. False: the end without an error, or DATA_LOSS
 * "truncated". To read a message again, restore *at.
 */
bool log_file_next(GBytes *file, size_t *at, const uint8_t **ret, size_t *ret_n, GError **error);
