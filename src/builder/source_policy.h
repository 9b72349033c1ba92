/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source_policy: rules that allow, deny and replace sources by name before they are fetched.
 *
 *	g_autoptr(source_policy) p = source_policy_new();
 *	if (!source_policy_add(p, request_policy, error)) ...
 *	if (!source_policy_apply(p, op, &changed, error)) ...
 *
 * In each policy, the last matching ALLOW or DENY rule decides. The first CONVERT rule that changes the source ends the
 * pass, and all policies are applied again. Policies are borrowed. Errors have upstream's texts; their code is UNKNOWN
 * unless stated. Thread: one at a time.
 */
#pragma once
#include "base/error.h"
#include "ops.pb-c.h"
#include "policy.pb-c.h"

typedef struct source_policy source_policy;

source_policy *source_policy_new(void);
void source_policy_free(source_policy *p);
/* Adds a policy after the existing ones; NULL adds nothing. Errors: "invalid nil selector in policy". */
bool source_policy_add(source_policy *p, const Policy__Policy *policy, GError **error);
bool source_policy_is_empty(const source_policy *p);
/* Changes the identifier and attributes of the source as the policies require. RESOURCE_EXHAUSTED: beyond a limit. */
bool source_policy_apply(source_policy *p, Pb__SourceOp *source, bool *ret_changed, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(source_policy, source_policy_free)
