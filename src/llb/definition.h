/* SPDX-License-Identifier: Apache-2.0 */
/*
 * definition: a received LLB definition: digested and validated for the solver.
 *
 *	llb_definition *d = llb_load(pb, &options, error);
 *	const struct llb_vertex *v = llb_definition_result(d, &index);        NULL: scratch
 *
 * Digests are computed from the encoding of Go's deterministic marshalling, after rewrite_sources; for ops sent by
 * upstream's clients these are the received bytes. All indices are validated here, so inputs, mounts and actions can be
 * used without further checks. Vertices belong to the definition (counted). Errors: INVALID_ARGUMENT with upstream's
 * texts, "failed to load LLB: " not included; UNIMPLEMENTED for caps, PERMISSION_DENIED for entitlements. Thread: any,
 * immutable after load.
 */
#pragma once
#include "base/digest.h"
#include "netproxy/policy.h"
#include "ops.pb-c.h"

typedef struct llb_definition llb_definition;
struct llb_vertex;
struct llb_input {
	const struct llb_vertex *vertex;
	int64_t index; /* an output of that vertex */
};
enum llb_op_type { LLB_SOURCE, LLB_EXEC, LLB_FILE, LLB_MERGE, LLB_DIFF, LLB_BUILD, LLB_PASSTHROUGH };
struct llb_vertex {
	struct digest digest;
	enum llb_op_type type;
	const Pb__Op *op;               /* with platform defaulted and normalised (after the digest was fixed) */
	const Pb__OpMetadata *metadata; /* with normalised platform (changed after the digest) */
	const char *name;
	const struct llb_input *inputs;
	size_t n_inputs;
	/*
	 * Number of results. Exec: bind mounts (and cache mounts with an input) whose output is not -1, in the order of
	 * the mounts; file op: its outputs; passthrough: its list; otherwise 1. An input may name an index beyond that;
	 * the solver reports it.
	 */
	size_t n_outputs;
	bool ignore_cache;
	int export_cache;                        /* -1 unset, 0, 1 */
	const Pb__ProgressGroup *progress_group; /* NULL: none */
	const Pb__LinuxResources *resources;
	netproxy_policy *proxy; /* of an exec op whose network is a proxy; borrowed from the owner; NULL: none */
	const llb_definition *owner;
};
struct llb_source {
	Pb__SourceOp *op;             /* may be changed in place */
	const Pb__Platform *platform; /* platform of the op; NULL: none */
	bool changed;
};
struct llb_load_options {
	const char *const *caps; /* supported LLB caps, sorted, NULL-terminated; NULL: llb_caps() */
	/* Granted entitlements; NULL: none. */
	bool allow_network_host, allow_security_insecure;
	/* Called with each exec op that has devices: checks that they are granted, and may replace them. NULL: no check. */
	bool (*allow_devices)(void *data, Pb__ExecOp *exec, GError **error);
	void *devices_data;
	/*
	 * Called with all sources before vertices are made; may replace their identifiers and attributes (source
	 * policies). NULL: none. Digests and names are computed from the result. Its errors are returned by the load.
	 */
	bool (*rewrite_sources)(void *data, struct llb_source *sources, size_t n, GError **error);
	void *rewrite_data;
	/*
	 * Not NULL: exec ops reach the network through a proxy only. Their digests differ from those of other builds, by
	 * upstream's mark and the scope of the policy. Referenced.
	 */
	netproxy_policy *proxy;
};
llb_definition *llb_load(const Pb__Definition *pb, const struct llb_load_options *options, GError **error);
llb_definition *llb_definition_ref(const llb_definition *d);
void llb_definition_unref(llb_definition *d);
const struct llb_vertex *llb_definition_result(const llb_definition *d, int64_t *ret_index);
/* Reports whether two vertices reach the network in the same way, so that one may take the place of the other. */
bool llb_vertex_same_network(const struct llb_vertex *a, const struct llb_vertex *b);
/* All vertices, inputs before users. */
const struct llb_vertex *const *llb_definition_vertices(const llb_definition *d, size_t *ret_n);
/* Adds an errdefs.Vertex detail to the error, and one errdefs.Source detail per location of the vertex. */
void llb_vertex_annotate_error(const struct llb_vertex *v, GError *error);
/*
 * Returns the JSON of an op in the form of Go's encoding/json ("dump-llb", provenance); for protojson (errdefs.Solve)
 * see llb/op_json.h.
 */
char *llb_op_json(const Pb__Op *op);

/* Returns the supported caps, sorted (Ping, load). NULL-terminated. */
const char *const *llb_caps(void);

/* Returns the value of an attribute, or NULL. */
const char *llb_source_attr(const Pb__SourceOp *source, const char *key);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(llb_definition, llb_definition_unref)
