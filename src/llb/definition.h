/* SPDX-License-Identifier: Apache-2.0 */
/*
 * definition: an LLB definition as it was received: digested, validated, ready for the solver.
 *
 *	llb_definition *d = llb_load(pb, &options, error);
 *	const struct llb_vertex *v = llb_definition_result(d, &index);        NULL: scratch
 *
 * Digests are of the ops as Go's deterministic marshalling writes them, after rewrite_sources: those of what clients
 * make are of the bytes that were received. Everything an index can point at is checked once, here: afterwards inputs,
 * mounts and actions may be used without looking. Vertices belong to the definition (counted).
 * Errors: INVALID_ARGUMENT with upstream's texts, "failed to load LLB: " not included; UNIMPLEMENTED for caps,
 * PERMISSION_DENIED for entitlements.
 * Thread: any, immutable after load.
 */
#pragma once
#include "base/digest.h"
#include "ops.pb-c.h"

typedef struct llb_definition llb_definition;
struct llb_vertex;
struct llb_input {
	const struct llb_vertex *vertex;
	int64_t index; /* output of that vertex */
};
enum llb_op_type { LLB_SOURCE, LLB_EXEC, LLB_FILE, LLB_MERGE, LLB_DIFF, LLB_BUILD, LLB_PASSTHROUGH };
struct llb_vertex {
	struct digest digest;
	enum llb_op_type type;
	const Pb__Op *op;               /* with platform defaulted and normalised (after the digest was fixed) */
	const Pb__OpMetadata *metadata; /* NULL: none */
	const char *name;
	const struct llb_input *inputs;
	size_t n_inputs;
	/*
	 * Results, in order: of an exec those of its bind mounts (and cache mounts with an input) whose output is not
	 * -1, as the mounts stand; of a file op its outputs; of a passthrough its list; otherwise one. An input may
	 * name an index beyond them: the solver answers that.
	 */
	size_t n_outputs;
	bool ignore_cache;
	int export_cache;                        /* -1 unset, 0, 1 */
	const Pb__ProgressGroup *progress_group; /* NULL: none */
	const Pb__LinuxResources *resources;
	const llb_definition *owner;
};
struct llb_source {
	Pb__SourceOp *op;             /* changed in place */
	const Pb__Platform *platform; /* as the definition has it; NULL: none */
	bool changed;
};
struct llb_load_options {
	const char *const *caps; /* supported LLB caps, sorted, NULL-terminated; NULL: llb_caps() */
	/* Entitlements granted; NULL: none. */
	bool allow_network_host, allow_security_insecure;
	/*
	 * Sees all sources before anything is made of them, and may replace them and their attributes (source policies);
	 * NULL: none. Digests and names are then of what it left. Its errors are those of the load.
	 */
	bool (*rewrite_sources)(void *data, struct llb_source *sources, size_t n, GError **error);
	void *rewrite_data;
};
llb_definition *llb_load(const Pb__Definition *pb, const struct llb_load_options *options, GError **error);
llb_definition *llb_definition_ref(const llb_definition *d);
void llb_definition_unref(llb_definition *d);
const struct llb_vertex *llb_definition_result(const llb_definition *d, int64_t *ret_index);
/* All vertices, inputs before users. */
const struct llb_vertex *const *llb_definition_vertices(const llb_definition *d, size_t *ret_n);
/* Adds an errdefs.Vertex and one errdefs.Source detail a location of the vertex to the error. */
void llb_vertex_annotate_error(const struct llb_vertex *v, GError *error);
/* JSON of an op as Go's encoding/json writes it ("dump-llb", provenance); llb/op_json.h has protojson (errdefs.Solve).
 */
char *llb_op_json(const Pb__Op *op);

/* The caps that work here, sorted (Ping, load). NULL-terminated. */
const char *const *llb_caps(void);

/* Value of an attr map entry, or NULL. */
const char *llb_source_attr(const Pb__SourceOp *source, const char *key);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(llb_definition, llb_definition_unref)
