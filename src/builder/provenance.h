/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provenance: what a build says of its results: captures, attestations for exporters, records for the history.
 *
 *	provenance *p = provenance_new(build);                      its scope takes notes from now on
 *	provenance_read_options(p, error);
 *	provenance_capture_result(p, result, error);                after all refs are built
 *	const struct export_attestation *list = provenance_attestations(p, &n);
 *
 * Frontends have no part in it: attestations in their results are refused (frontend/gateway), metadata is not read.
 * Thread: one at a time but for the predicates of attestations, which any number may ask for.
 */
#pragma once
#include "builder/provenance_scope.h"
#include "control.pb-c.h"
#include "export/exporter.h"
#include "worker/bridge.h"

struct build;
typedef struct provenance provenance;

provenance *provenance_new(struct build *build);
void provenance_free(provenance *p);
provenance_scope *provenance_get_scope(const provenance *p); /* the root; borrowed */
bool provenance_read_options(provenance *p, GError **error);
/* The options ask for attest:sbom. */
bool provenance_wants_sbom(const provenance *p);
/* Errors: "provenance materials are incomplete ..." when complete ones were asked for. Replaces what was captured
 * before. */
bool provenance_capture_result(provenance *p, build_result *result, GError **error);
/* For exporters; none unless asked for. Borrowed. */
const struct export_attestation *provenance_attestations(const provenance *p, size_t *ret_n);
/* Fills Result and Results of a record, and ret_blobs (GBytes *) with what their descriptors name. */
bool provenance_record(provenance *p, struct work *work, Control__BuildHistoryRecord *record, GPtrArray *ret_blobs,
		       GError **error);
