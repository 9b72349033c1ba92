/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attestation: in-toto statements about a result, for image indexes and as files.
 *
 *	g_autoptr(GPtrArray) list = attestations_load(context, input, "linux/amd64", true, work, error);
 *	struct statement_budget budget = {LIMIT_STATEMENTS_BYTES, work->cancel};
 *	GBytes *statement = attestation_statement(list->pdata[0], subjects, 0, &budget, error);
 *
 * Bundles are read: each of their statements becomes an attestation. The subjects of a statement are, unless it has
 * its own, the images or files of this exporter. Thread: one at a time.
 */
#pragma once
#include "export/exporter.h"

/* An attestation whose predicate is known. */
struct attestation {
	char *predicate_type;
	char *path;          /* as struct export_attestation; of a bundle: with the name of the entry */
	char *sbom_core;     /* NULL: none */
	GBytes *predicate;   /* compact JSON */
	GPtrArray *subjects; /* element type: struct attestation_subject *; empty: the exporter's */
};
struct attestation_subject {
	bool is_self; /* the exporter's subjects; a name is an additional one for each of them */
	char *name;   /* owned: a package URL, a path or "" */
	char **digests;
};
struct attestation_subject *attestation_subject_new(const char *name, const struct digest *digest);
void attestation_subject_free(void *subject);

/* Reports whether there are attestations for the platform. inline_only ones count on request only. */
bool attestations_exist(const struct export_input *input, const char *platform_id, bool with_inline);
/* Reports whether there is an SBOM of the platform's ref to which layers can be added. */
bool attestations_have_sbom(const struct export_input *input, const char *platform_id);
/*
 * Element type: struct attestation *; the SBOM of the result itself comes first. Errors: INVALID_ARGUMENT for files and
 * directories that are not as they must be; RESOURCE_EXHAUSTED.
 */
GPtrArray *attestations_load(const struct exporter_context *context, const struct export_input *input,
			     const char *platform_id, bool with_inline, struct work *work, GError **error);
/* Reports whether this is the SBOM of the result itself. */
bool attestation_is_core(const struct attestation *a);
/*
 * Predicates of a platform that grew after they were loaded count, too: RESOURCE_EXHAUSTED if they exceed
 * LIMIT_ATTESTATIONS_BYTES.
 */
bool attestations_check_bytes(const GPtrArray *list, GError **error);

/* Shared by the statements about a platform. A subject of kind "self" becomes as many as the exporter has. */
struct statement_budget {
	int64_t left; /* bytes */
	cancel *cancel;
};
/* subjects: element type struct attestation_subject *. indent: 0 (compact) or 2. RESOURCE_EXHAUSTED: no bytes left. */
GBytes *attestation_statement(const struct attestation *a, const GPtrArray *subjects, int indent,
			      struct statement_budget *budget, GError **error);
