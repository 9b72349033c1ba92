/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sbom: runs an SBOM generator: an image whose process reads the trees of a build and writes statements.
 *
 *	struct sbom_options o;
 *	if (!sbom_options_read(&o, "generator=example.org/scanner", "generator", error)) ...
 *	g_autoptr(sbom_generator) g = sbom_generator_new(b, &o, &platform, "default", work, error);
 *	if (!sbom_scan(g, &scan, work, &ref, error)) ...
 *	sbom_attest(result, "linux/amd64", ref);
 *
 * The protocol is upstream's (docs/attestations.md). The step is not run before its ref is evaluated. Thread: a
 * generator is immutable and may be used by several threads.
 */
#pragma once
#include "llb/build.h"
#include "worker/bridge.h"

struct sbom_options {
	char *generator; /* owned: reference with a tag or digest */
	char **params;   /* owned: "NAME=value", for the environment */
};
/*
 * value: of the option attest:sbom, CSV; "": the default generator. noun: what error texts call it: "generator" or
 * "scanner".
 */
bool sbom_options_read(struct sbom_options *ret, const char *value, const char *noun, GError **error);
void sbom_options_clear(struct sbom_options *o);

typedef struct sbom_generator sbom_generator;
/* Resolves the image for the platform on which it runs. o is copied; b is borrowed. */
sbom_generator *sbom_generator_new(bridge *b, const struct sbom_options *o, const struct platform *platform,
				   const char *resolve_mode, struct work *work, GError **error);
void sbom_generator_free(sbom_generator *g);

/* A tree that is scanned in addition to the result: a stage, or "context". */
struct sbom_extra {
	const char *name;
	struct llb_out tree;
};
struct sbom_scan {
	llb_graph *graph;    /* of all trees */
	const char *id;      /* platform of the result, for the name of the vertex */
	struct llb_out core; /* the result */
	const struct sbom_extra *extras;
	size_t n_extras;
	bool ignore_cache;
};
/* Defines the step. ret: owned, the directory of statements. */
bool sbom_scan(const sbom_generator *g, const struct sbom_scan *scan, struct work *work, bridge_ref **ret,
	       GError **error);
/* Adds the bundle to the result; takes the ref. */
void sbom_attest(build_result *r, const char *id, bridge_ref *ref);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(sbom_generator, sbom_generator_free)
