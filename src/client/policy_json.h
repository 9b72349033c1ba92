/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy_json: parses the JSON of a source policy (--source-policy-file).
 *
 *	Policy__Policy *p = policy_json_read(bytes, n, error);
 *
 * Follows Go's encoding/json: names match in any case, null means absent, unknown members are ignored, enums are names
 * or numbers. Pure. Thread: any.
 */
#pragma once
#include "base/error.h"
#include "policy.pb-c.h"

/* Owned (guard_free). Errors: INVALID_ARGUMENT if there are more than LIMIT_POLICY_BYTES, or if it is not a policy. */
Policy__Policy *policy_json_read(const void *bytes, size_t n, GError **error);
