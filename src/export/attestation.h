/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attestation: what is said of a result, as in-toto statements: in an image beside its manifest, and as files.
 *
 *	g_autoptr(GPtrArray) of = attestations_of(input, "linux/amd64", true);
 *	GBytes *statement = attestation_statement(of->pdata[0], subjects, n, 0, work, error);
 *
 * Statements are about this exporter's form of the result: subjects are its images or its files. Thread: one at a time.
 */
#pragma once
#include "export/exporter.h"

struct attestation_subject {
	char *name; /* owned: a package URL or a path */
	struct digest digest;
};
void attestation_subject_clear(void *subject);

/* Of struct export_attestation *, borrowed; without those that are inline_only unless asked for. */
GPtrArray *attestations_of(const struct export_input *input, const char *platform_id, bool with_inline);
/* indent: 0 compact, 2. */
GBytes *attestation_statement(const struct export_attestation *a, const GArray *subjects, int indent, struct work *work,
			      GError **error);
