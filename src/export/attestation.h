/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attestation: in-toto statements about a result, for image indexes and as files.
 *
 *	g_autoptr(GPtrArray) of = attestations_of(input, "linux/amd64", true);
 *	GBytes *statement = attestation_statement(of->pdata[0], subjects, 0, work, error);
 *
 * The subjects of a statement are the images or files of this exporter. Thread: one at a time.
 */
#pragma once
#include "export/exporter.h"

struct attestation_subject {
	char *name; /* owned: a package URL or a path */
	struct digest digest;
};
void attestation_subject_clear(void *subject);

/* Element type: struct export_attestation *, borrowed. inline_only attestations are included on request only. */
GPtrArray *attestations_of(const struct export_input *input, const char *platform_id, bool with_inline);
/* indent: 0 (compact) or 2. */
GBytes *attestation_statement(const struct export_attestation *a, const GArray *subjects, int indent, struct work *work,
			      GError **error);
