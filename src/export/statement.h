/* SPDX-License-Identifier: Apache-2.0 */
/*
 * statement: reads an in-toto statement that a frontend or an SBOM generator wrote.
 *
 *	struct attestation *a = attestation_read(bytes, "sbom.spdx.json", error);       path and sbom_core are not set
 *
 * Names of members are compared without case and the last of equal members is used, as Go's decoder does. The text of
 * the predicate is kept: numbers and the order of members do not change. Thread: any.
 */
#pragma once
#include "export/attestation.h"

struct attestation *attestation_new(const char *predicate_type);
void attestation_free(void *attestation);
/* name: for messages. Errors: INVALID_ARGUMENT "cannot decode in-toto statement: ...". */
struct attestation *attestation_read(GBytes *bytes, const char *name, GError **error);
