/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bounds: limits of a YAML document, checked before it is loaded.
 *
 *	if (!cdi_bounds_check(bytes, n, error)) return NULL;
 *
 * The time that libyaml takes grows with the square of the depth of a document and of the number of its anchors. Errors:
 * INVALID_ARGUMENT, also for what is not YAML. Thread: any, after libyaml_load.
 */
#pragma once
#include "base/error.h"

bool cdi_bounds_check(const void *bytes, size_t n, GError **error);
