/* SPDX-License-Identifier: Apache-2.0 */
/* tar_maker: archives for tests, valid and malicious, from one line per entry. */
#pragma once
#include "os/tree.h"
#include "base/scope.h"
#include "snapshot/apply.h"
#include "format/tar.h"
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

struct made_entry {
	const char *name;
	char type;
	const char *text; /* contents or link target */
	mode_t mode;      /* 0: 0644 or 0755 */
	unsigned uid, major, minor;
	const char *xattr, *xattr_value;
};

bool maker_append(void *data, const void *bytes, size_t n, GError **error);
GByteArray *maker_tar(const struct made_entry *entries, size_t n);
bool maker_apply(const GByteArray *tar, int root_fd, const struct apply_options *options, struct apply_result *result,
		 GError **error);
