/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provenance_predicate: a capture as a predicate of SLSA provenance, v1 or v0.2.
 *
 *	g_autofree char *json = provenance_predicate_write(&p, &n, error);      compact
 *
 * Members and their order: llb-and-solver.md section 29, daemon-and-client.md section 6.7. mode=min leaves out what may
 * be private: build arguments, labels, secrets, agents, and everything of the definition. Thread: any.
 */
#pragma once
#include "builder/provenance_capture.h"
#include "format/json_writer.h"
#include "ops.pb-c.h"

#define PROVENANCE_V1 "https://slsa.dev/provenance/v1"
#define PROVENANCE_V02 "https://slsa.dev/provenance/v0.2"

struct provenance_layers { /* of one output of a step */
	char *digest;      /* of the step */
	int64_t index;
	GPtrArray *layers; /* of oci_descriptor * */
};
struct provenance_predicate {
	const provenance_capture *capture;
	bool v02, max, reproducible;
	const char *builder_id; /* "": none */
	const char *builder_platform;
	const char *dockerfile_version; /* told when the frontend is dockerfile.v0 */
	const json_t *env;              /* of the administrator (provenance_env.h); NULL: none */
	const char *invocation_id;
	int64_t started_ns, finished_ns;
	int64_t compat_version;
	const Pb__Definition *definition; /* of the result; mode=max */
	const GPtrArray *layers;          /* of struct provenance_layers *; mode=max */
};
char *provenance_predicate_write(const struct provenance_predicate *p, size_t *ret_len, GError **error);
/* Are all sources known by digest? */
bool provenance_is_complete(const provenance_capture *c);
