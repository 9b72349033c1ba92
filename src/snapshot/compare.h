/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compare: whether an entry is the same in two trees, as containerd's differ sees it.
 *
 *	int same = compare_entries(lower_fd, &lower_stat, upper_fd, &upper_stat, "name", error);      1, 0 or -1
 *
 * Inside snapshot only. Thread: any.
 */
#pragma once
#include "base/error.h"
#include <sys/stat.h>

/* Contents are read only when size and time agree and both times may have lost their nanoseconds in an archive. */
int compare_entries(int lower_fd, const struct stat *lower, int upper_fd, const struct stat *upper, const char *name,
		    GError **error);
