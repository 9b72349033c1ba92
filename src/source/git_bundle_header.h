/* SPDX-License-Identifier: Apache-2.0 */
/*
 * git_bundle_header: the text before the pack of a git bundle (git's Documentation/gitformat-bundle).
 *
 *	struct git_bundle_header h;
 *	if (!git_bundle_header_read(bytes, n, &h, error)) ...
 *
 * git reads it byte by byte and without limits, so it is checked before git gets the file. Thread: any.
 */
#pragma once
#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>

struct git_bundle_header {
	bool long_ids; /* SHA-256 */
	size_t refs;
};
/* Length of the header with its empty line; 0: it does not end in these bytes. */
size_t git_bundle_header_length(const char *bytes, size_t n);
/* Reads a whole header. INVALID_ARGUMENT, also if the bundle needs commits that it does not contain. */
bool git_bundle_header_read(const char *bytes, size_t n, struct git_bundle_header *ret, GError **error);
