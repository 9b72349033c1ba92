/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filter: matches containerd's filter language (field==value, !=, ~=regex, presence; ',' is and, several strings are
 * or).
 *
 *	g_autoptr(filter) f = filter_new(list, error);           an empty list matches everything
 *	filter_match(f, lookup, row)
 *
 * Thread: any, immutable after new.
 */
#pragma once
#include "base/error.h"

typedef struct filter filter;
/* Returns the value of a field ("labels.x" arrives as field "labels", "x"); NULL if it does not exist. */
typedef const char *(*filter_lookup_fn)(const void *row, const char *const *path, size_t n_path);

filter *filter_new(const char *const *list, GError **error);
bool filter_match(const filter *f, filter_lookup_fn lookup, const void *row);
void filter_free(filter *f);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(filter, filter_free)
