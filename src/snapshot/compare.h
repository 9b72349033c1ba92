/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compare: compares an entry in two trees with the rules of containerd's differ.
 *
 *	int same = compare_entries(lower_fd, &lower_stat, upper_fd, &upper_stat, "name", error);      1, 0 or -1
 *
 * Private to snapshot. Thread: any.
 */
#pragma once
#include "base/error.h"
#include <sys/stat.h>

/* Contents are read only if size and time are equal and both times may have lost their nanoseconds in an archive. */
int compare_entries(int lower_fd, const struct stat *lower, int upper_fd, const struct stat *upper, const char *name,
		    GError **error);
