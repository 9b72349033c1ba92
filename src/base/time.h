/* SPDX-License-Identifier: Apache-2.0 */
/* time: units of time. Points in time are int64_t nanoseconds since 1970 (names end in _ns). Thread: constant. */
#pragma once
#include <glib.h>

#define NS_PER_S G_GINT64_CONSTANT(1000000000)
