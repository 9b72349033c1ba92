/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy_session: checks a source against policies: rules first, then the client's PolicyVerifier service.
 *
 *	struct source_check check;
 *	source_check_init(&check, build, policy);                  both are borrowed
 *	if (!source_check_run(&check, &s, work, error)) ...   s.op is the checked source
 *	source_check_clear(&check);
 *
 * The client answers with a decision (allow, deny, convert) or asks for metadata of the source first. At most
 * POLICY_REQUESTS_MAX answers are processed per source. Errors: "source "X" not allowed by policy: action DENY" with
 * the client's messages as a policysession.DecisionResponse detail; errors of the client and of the lookups. Thread:
 * any; one check may be used by several threads.
 */
#pragma once
#include "builder/source_policy.h"
#include "base/work.h"
#include "llb/definition.h"

struct build;

#define POLICY_REQUESTS_MAX 10 /* limit per source; same as upstream */

struct source_check {
	struct build *build;   /* borrowed */
	source_policy *policy; /* borrowed; mu */
	GMutex mu;
};

void source_check_init(struct source_check *c, struct build *build, source_policy *policy);
void source_check_clear(struct source_check *c);
/* Reports whether any policy applies to the build. */
bool source_check_is_needed(const struct build *build, const source_policy *policy);
bool source_check_run(struct source_check *c, struct llb_source *s, struct work *work, GError **error);
/* Checks several sources, in parallel where the client is asked. The first error ends all checks. */
bool source_check_run_all(struct source_check *c, struct llb_source *sources, size_t n, struct work *work,
			  GError **error);
