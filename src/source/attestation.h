/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attestation: resolves the attestation chain of an image in a registry.
 *
 *	struct attestation_request q = {.platform = &platform};
 *	g_autoptr(attestation_chain) chain = attestation_chain_resolve(&origin, ref, &q, work, error);
 *
 * Nothing is verified here besides digests and sizes. At most LIMIT_ATTESTATION_CHAIN_BYTES are fetched, because a chain
 * is sent in one message. Thread: any.
 */
#pragma once
#include "source/pull.h"

struct attestation_request {
	const struct platform *platform;
	const char *const *predicate_types; /* attestations of these types are added; borrowed */
	size_t n_predicate_types;
};
attestation_chain *attestation_chain_resolve(const struct pull_origin *o, const reference *ref,
					     const struct attestation_request *q, struct work *work, GError **error);
