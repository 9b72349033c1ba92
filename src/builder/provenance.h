/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provenance: provenance of a build: captures, attestations for exporters, attestations for the history.
 *
 *	provenance *p = provenance_new(build);                      starts to record in its scope
 *	provenance_read_options(p, error);
 *	provenance_capture_result(p, result, error);                after all refs are built
 *	const struct export_attestation *list = provenance_attestations(p, &n);
 *
 * Frontends cannot influence it: exporters refuse provenance among their attestations, metadata is not read.
 * Thread: one at a time; predicates of attestations: any.
 */
#pragma once
#include "provenance/scope.h"
#include "export/exporter.h"
#include "history/history.h"
#include "worker/bridge.h"

struct build;
typedef struct provenance provenance;

provenance *provenance_new(struct build *build);
void provenance_free(provenance *p);
provenance_scope *provenance_get_scope(const provenance *p); /* the root scope; borrowed */
bool provenance_read_options(provenance *p, GError **error);
/* Returns the value of the option attest:sbom, or NULL. Borrowed. */
const char *provenance_get_sbom(const provenance *p);
/*
 * Errors: "provenance materials are incomplete ..." if complete materials were requested. Replaces an earlier capture.
 */
bool provenance_capture_result(provenance *p, build_result *result, GError **error);
/* Returns the attestations for exporters; empty unless requested. Borrowed. */
const struct export_attestation *provenance_attestations(const provenance *p, size_t *ret_n);
/*
 * Appends an attestation for each result to records, of those before an error, too. Keys are borrowed from p, the rest is
 * owned by records.
 */
bool provenance_record(provenance *p, struct work *work, GArray *records, GError **error);
GArray *provenance_records_new(void); /* element type: struct history_attestation */
