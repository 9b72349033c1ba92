/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provenance_options: the attestation options of a request: attest:TYPE=..., build-arg:BUILDKIT_ATTEST_TYPE=....
 *
 *	struct provenance_options o;
 *	if (!provenance_options_read(&o, frontend_attrs, error)) ...
 *	provenance_options_clear(&o);
 *
 * Errors: unknown attestation type "x", failed to parse provenance, invalid provenance SLSA version: x, invalid mode
 * "x", failed to parse reproducible flag "x", failed to parse complete-materials flag "x". Thread: one at a time.
 */
#pragma once
#include "base/error.h"

struct provenance_options {
	bool wanted;
	char *sbom; /* owned: value of attest:sbom; NULL: not requested */
	bool v02, max, reproducible, complete_materials, inline_only;
	bool usage;                  /* capture-usage */
	char *builder_id, *filename; /* owned */
};
bool provenance_options_read(struct provenance_options *ret, GHashTable *attrs, GError **error);
void provenance_options_clear(struct provenance_options *o);
