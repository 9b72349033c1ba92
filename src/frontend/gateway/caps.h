/* SPDX-License-Identifier: Apache-2.0 */
/* caps: the frontend API caps of LLBBridge.Ping, sorted. Thread: constant. */
#pragma once

/* Returns the supported caps, sorted by id, NULL-terminated. */
extern const char *const gateway_caps[];
