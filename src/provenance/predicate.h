/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provenance_predicate: writes a capture as an SLSA provenance predicate, v1 or v0.2.
 *
 *	g_autofree char *json = provenance_predicate_write(&p, &n, error);      compact
 *
 * Members and their order are upstream's. mode=min omits data that may be private: build arguments, labels, secrets,
 * SSH agents, and the definition. Thread: any.
 */
#pragma once
#include "provenance/capture.h"
#include "format/json_writer.h"
#include "ops.pb-c.h"

#define PROVENANCE_V1 "https://slsa.dev/provenance/v1"
#define PROVENANCE_V02 "https://slsa.dev/provenance/v0.2"

/* The layers of an output of a step. */
struct provenance_layers {
	char *digest;      /* of the step */
	int64_t index;     /* of the output */
	GPtrArray *layers; /* element type: oci_descriptor * */
};
struct provenance_predicate {
	const provenance_capture *capture;
	bool v02, max, reproducible;
	const char *builder_id; /* "": none */
	const char *builder_platform;
	const char *dockerfile_version; /* written if the frontend is dockerfile.v0 */
	const json_t *env;              /* members added by the administrator (provenance/env.h); NULL: none */
	const char *invocation_id;
	int64_t started_ns, finished_ns;
	int64_t compat_version;
	const Pb__Definition *definition; /* definition of the result; mode=max */
	const GPtrArray *layers;          /* element type: struct provenance_layers *; mode=max */
	bool usage;                       /* write what steps have used; mode=max */
	const GArray *machine;            /* element type: struct resource_machine_sample; NULL: none */
};
char *provenance_predicate_write(const struct provenance_predicate *p, size_t *ret_len, GError **error);
/* Reports whether the digests of all sources are known. */
bool provenance_is_complete(const provenance_capture *c);
