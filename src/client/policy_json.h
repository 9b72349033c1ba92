/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy_json: a source policy as JSON, as --source-policy-file takes it (daemon-and-client.md section 6.6).
 *
 *	Policy__Policy *p = policy_json_read(bytes, n, error);
 *
 * Read as Go reads it: members of any case, null as absent, others ignored; enums by name or number. Pure. Thread: any.
 */
#pragma once
#include "base/error.h"
#include "policy.pb-c.h"

/* Owned (guard_free). Errors: INVALID_ARGUMENT, more than LIMIT_POLICY_BYTES or no policy. */
Policy__Policy *policy_json_read(const void *bytes, size_t n, GError **error);
