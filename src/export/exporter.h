/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exporter: writes the result of a build: image, oci, docker, local, tar. Each kind is one file, its
 * name in meson.build, and one row of kinds.h.
 *
 *	exporter *e = exporter_open(&context, "oci", attrs, error);         errors: exporter "x" could not be found
 *	exporter_export(e, &input, work, response, &has_finish, error);     in its vertex, exporter_vertex_name(e)
 *	if (has_finish) exporter_finish(e, work, error);                    push: after all exporters, same vertex again
 *
 * Attributes, statuses, response keys and documents are upstream's. Thread: an instance is used by one thread at a
 * time.
 */
#pragma once
#include "cache/cache.h"
#include "export/kinds.h"
#include "registry/registry.h"
#include "session/session.h"

struct exporter_context {
	cache *cache;
	blob_store *blobs;
	blob_holds *holds;                /* the build's; for blobs that exports create and no cache record refers to */
	const struct image_store *images; /* NULL: the worker has none */
	registry *registry;
	session_registry *sessions;
	const struct registry_auth *registry_auth; /* source_registry_auth, unless NULL */
	const char *session_id;                    /* session of the client that receives local results */
	int64_t compat_version;                    /* compatibility version: 10, 20 or 30 */
};
/* A result: a single ref, or one ref per platform. */
struct export_ref {
	const char *platform_id; /* key of the map ("linux/amd64"), "" for a single ref */
	cache_ref *ref;          /* borrowed; NULL: scratch */
};
struct inline_cache {
	/*
	 * platform_id: of the ref; layers: element type struct cache_layer_result *. *ret_records: NULL if there are
	 * none.
	 */
	bool (*records)(void *data, const char *platform_id, const GPtrArray *layers, enum compression compression,
			struct work *work, char **ret_records, GError **error);
	void *data;
};
#define EXPORT_IN_TOTO_TYPE "application/vnd.in-toto+json"
#define EXPORT_PREDICATE_TYPE_KEY "in-toto.io/predicate-type"
#define EXPORT_PREDICATE_SPDX "https://spdx.dev/Document"
/* A subject of a statement: the exported images or files themselves, or something else with digests. */
struct export_subject {
	bool raw;
	const char *name;           /* "": none */
	const char *const *digests; /* "sha256:...", NULL-terminated */
};
/*
 * An attestation of one ref of a result: a predicate, or (is_bundle) a directory of statements. The predicate is either
 * a file of ref or, for attestations of the daemon itself, made by a function.
 */
struct export_attestation {
	const char *platform_id;    /* key of the ref in the result's map */
	const char *predicate_type; /* "https://slsa.dev/provenance/v1"; bundles: of every statement, "": any */
	const char *path; /* of the file or directory in ref; its last component names files of local and tar */
	bool is_bundle;
	bool inline_only;      /* for images only if an index is written anyway */
	bool is_sbom;          /* made by an SBOM generator */
	const char *sbom_core; /* name of the SBOM of the result itself, without extension; NULL: none */
	cache_ref *ref;        /* borrowed; NULL: scratch, or there is a function */
	bool has_ref;
	const struct export_subject *subjects; /* none: the exported images or files */
	size_t n_subjects;
	/* Returns compact JSON. Called after the layers exist; from any thread. */
	GBytes *(*predicate)(void *data, struct work *work, GError **error);
	void *data;
};
/* An exported image as the history keeps it, without layers. */
struct export_kept {
	oci_descriptor *root; /* owned; NULL: no image was made */
	GPtrArray *documents; /* element type: GBytes *: index, manifests, configs, attestations; NULL as root */
};
void export_kept_clear(struct export_kept *k);
struct export_input {
	const struct export_ref *refs;
	size_t n_refs;
	bool is_map;
	GHashTable *metadata; /* char * to GBytes *: containerimage.config[/p], refs.platforms, ... */
	const struct export_attestation *attestations;
	size_t n_attestations;
	struct export_kept *kept; /* set by image exporters; NULL: not wanted */
	unsigned index;           /* index of this exporter in the request */
	const struct inline_cache
		*inline_cache; /* creates the cache keys in an image's config; NULL: no inline cache */
};
typedef struct exporter exporter;
/* finish may be NULL; the unit test export/exporter checks the other members of all rows. */
struct exporter_class {
	const char *type;
	const char *vertex_name; /* "exporting to image" */
	bool keeps_codes;        /* errors of the client that receives the files: codes are kept */
	void *(*open)(const struct exporter_context *context, const char *type, GHashTable *attrs, GError **error);
	/*
	 * response: char * to char *; the table owns keys and values and frees them with g_free. *ret_has_finish is
	 * false on entry; true: call finish after all exporters.
	 */
	bool (*export)(void *self, const struct export_input *input, struct work *work, GHashTable *response,
		       bool *ret_has_finish, GError **error);
	bool (*finish)(void *self, struct work *work, GError **error);
	void (*free)(void *self);
};
#define EXPORTER_CLASS_DECLARE(type, destination) extern const struct exporter_class exporter_##type##_class;
EXPORTER_KINDS(EXPORTER_CLASS_DECLARE)

/* context is borrowed; it must outlive the exporter. */
exporter *exporter_open(const struct exporter_context *context, const char *type, GHashTable *attrs, GError **error);
const char *exporter_vertex_name(const exporter *e);
/* Same for a type, before its exporter is open; NULL if there is no such type. */
const char *exporter_vertex_name_of(const char *type);
/*
 * Adds to response, whose keys and values are allocated with g_malloc and owned by the table. Sets *ret_has_finish on
 * failure as well. Blocks; call in the vertex exporter_vertex_name.
 */
bool exporter_export(exporter *e, const struct export_input *input, struct work *work, GHashTable *response,
		     bool *ret_has_finish, GError **error);
bool exporter_finish(exporter *e, struct work *work, GError **error);
void exporter_free(exporter *e);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(exporter, exporter_free)
