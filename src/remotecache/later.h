/* SPDX-License-Identifier: Apache-2.0 */
/*
 * later: the kinds of caches that are not built yet. Their attributes are checked as upstream checks them, so that a
 * mistake in them is told apart from what is missing here.
 *
 *	if (cache_is_later(type)) return cache_later_check(type, attrs, error);
 *
 * Thread: any.
 */
#pragma once
#include "base/error.h"

bool cache_is_later(const char *type);
/* Always false: upstream's error for the attributes, or UNIMPLEMENTED. what: "export" or "import". */
bool cache_later_check(const char *type, const char *what, GHashTable *attrs, GError **error);
