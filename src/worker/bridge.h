/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bridge: the calls that a frontend can make. Implemented by the daemon over the solver, by tests and by LLBBridge
 * clients.
 *
 *	struct bridge_solve_request request = {.definition = definition};
 *	g_autoptr(build_result) result = NULL;
 *	if (!b->class->solve(b, &request, work, &result, error)) return false;
 *	g_autoptr(GBytes) text = b->class->read_file(b, result->ref, "Dockerfile", 0, 0, work, error);
 *
 * A build_result holds counted refs and metadata. Refs are evaluated lazily: at the first read, or by evaluate. Thread:
 * any; calls block.
 */
#pragma once
#include "base/digest.h"
#include "base/work.h"
#include "format/platform.h"
#include "fssync/fssync.h"
#include "progress/progress.h"
#include "remotecache/cache_import.h"
#include "source/meta.h"

/* LLB (ops.pb-c.h) and source policies (policy.pb-c.h) are passed on as they were received. */
typedef struct Pb__Definition Pb__Definition;
typedef struct Pb__Platform Pb__Platform;
typedef struct Pb__SourceOp Pb__SourceOp;
typedef struct Pb__Mount Pb__Mount;
typedef struct Pb__HostIP Pb__HostIP;
typedef struct cache_ref cache_ref; /* cache/cache.h */
typedef struct container container; /* container/container.h */
typedef struct Policy__Policy Policy__Policy;

typedef struct bridge bridge;
typedef struct bridge_ref bridge_ref; /* NULL: scratch */

/* A subject of an attestation: the exported images or files, or something else with digests. */
struct build_subject {
	bool raw;
	char *name;     /* "": none */
	char **digests; /* "sha256:..." */
};

/* An attestation of one ref: an in-toto predicate, or a bundle (a directory of statements), in another ref. */
struct build_attestation {
	char *key; /* of the ref that it describes: "linux/amd64" */
	bool is_bundle;
	bridge_ref *ref; /* owned; NULL: none */
	char *path;
	char *predicate_type;
	GHashTable *metadata; /* char * to GBytes * */
	GArray *subjects;     /* element type: struct build_subject */
};
#define BUILD_PREDICATE_SPDX "https://spdx.dev/Document"
#define BUILD_ATTESTATION_REASON "reason"
#define BUILD_ATTESTATION_REASON_SBOM "sbom"
#define BUILD_ATTESTATION_SBOM_CORE "sbom-core" /* metadata: name of the SBOM of the ref itself */
#define BUILD_ATTESTATION_INLINE_ONLY "inline-only"

/* Result of a frontend, passed to exporters. */
typedef struct build_result {
	gint refs_count;         /* reference count of this struct */
	bridge_ref *ref;         /* owned: the single ref, if refs is NULL; NULL: scratch */
	GHashTable *refs;        /* owned: char * to bridge_ref * (owned; NULL: scratch); NULL: the result is ref */
	GHashTable *metadata;    /* char * to GBytes *, never NULL */
	GPtrArray *attestations; /* element type: struct build_attestation *, never NULL */
} build_result;
build_result *build_result_new(void);
/* Returns the new attestation, owned by the result, without a ref. */
struct build_attestation *build_result_attest(build_result *r, const char *key, const char *predicate_type);
/* value is copied; text without its NUL. */
void build_result_attestation_set(struct build_attestation *a, const char *key, const char *value);
/* Returns the ref of the platform: as upstream, the only ref of a result belongs to every platform. */
bool build_result_find_ref(const build_result *r, const char *key, bridge_ref **ret);
build_result *build_result_ref(build_result *r);
void build_result_unref(build_result *r);
/* Makes refs an empty map that owns its keys and values (idempotent). */
void build_result_make_map(build_result *r);
void build_result_set_metadata(build_result *r, const char *key, const void *bytes, size_t n);

struct bridge_solve_request {
	const Pb__Definition *definition; /* or a frontend: */
	const char *frontend;             /* with options and inputs */
	GHashTable *options;              /* char * to char *; solve may change it */
	GHashTable *inputs;               /* char * to Pb__Definition * */
	bool evaluate;
	const struct cache_import *cache_imports; /* borrowed */
	size_t n_cache_imports;
	Policy__Policy *const *source_policies; /* policies for the definition, after the build's; borrowed */
	size_t n_source_policies;
};
struct bridge_image_request {
	const char *ref;
	const struct platform *platform; /* NULL: the worker's */
	const char *resolve_mode;        /* "default", "pull", "local" or "" */
	const char *log_name;            /* vertex name, NULL: "resolve image config for <identifier>" */
	bool no_config;
	bool attestations;                  /* also the attestation chain; not for oci_layout */
	const char *const *predicate_types; /* with attestations: of these types; borrowed */
	size_t n_predicate_types;
	bool oci_layout;
	const char *session_id, *store_id;      /* oci_layout */
	Policy__Policy *const *source_policies; /* policies before the build's; borrowed */
	size_t n_source_policies;
};
struct bridge_image {
	char *other; /* owned; set on error: a policy replaced the image by this source of another kind */
	char *ref;   /* owned: possibly changed by policy */
	struct digest digest;
	GBytes *config;                  /* owned; NULL if no_config */
	attestation_chain *attestations; /* owned; NULL: not wanted */
};
/* What is asked about a source without fetching it as a tree. All members are borrowed. */
struct bridge_source_request {
	const Pb__SourceOp *source;
	const Pb__Platform *platform;       /* as requested; NULL: the worker's */
	const char *resolve_mode;           /* as in struct bridge_image_request */
	const char *log_name;               /* vertex name, NULL: "resolve image config for <identifier>" */
	bool no_config;                     /* images: only the digest */
	bool attestations;                  /* images: the attestation chain too */
	const char *const *predicate_types; /* with attestations: those of these types too */
	size_t n_predicate_types;
	bool objects; /* git: the commit and tag objects too */
	/* http: a digest of the file's bytes and the suffix together. */
	struct {
		bool wanted;
		int algorithm; /* as received */
		const void *suffix;
		size_t suffix_len;
	} checksum;
	Policy__Policy *const *source_policies; /* before the build's */
	size_t n_source_policies;
};
enum bridge_source_kind {
	BRIDGE_SOURCE_PLAIN /* has no metadata */,
	BRIDGE_SOURCE_IMAGE,
	BRIDGE_SOURCE_GIT,
	BRIDGE_SOURCE_HTTP
};
struct bridge_source {
	Pb__SourceOp *source; /* owned; possibly changed by policy */
	enum bridge_source_kind kind;
	struct bridge_image image;     /* owned; without .other and .ref */
	struct git_meta git;           /* owned */
	struct http_meta http;         /* owned */
	struct http_checksum checksum; /* .algorithm NULL: none was wanted; .suffix is the request's */
};
void bridge_source_clear(struct bridge_source *s);
/* A container of the build. All members are borrowed. */
struct bridge_container_request {
	const char *id;
	Pb__Mount *const *mounts;
	/* The tree of each mount: a ref, or what a failed op left. Both NULL: it has none. */
	bridge_ref *const *refs;
	cache_ref *const *results;
	size_t n_mounts;
	int network; /* as received */
	const char *hostname;
	Pb__HostIP *const *hosts;
	size_t n_hosts;
	const Pb__Platform *platform; /* NULL: the worker's */
};
struct bridge_class {
	bool (*solve)(bridge *b, const struct bridge_solve_request *r, struct work *work, build_result **ret,
		      GError **error);
	bool (*resolve_image)(bridge *b, const struct bridge_image_request *r, struct work *work,
			      struct bridge_image *ret, GError **error);
	/* ret is set on success; bridge_source_clear. */
	bool (*resolve_source)(bridge *b, const struct bridge_source_request *r, struct work *work,
			       struct bridge_source *ret, GError **error);
	GBytes *(*read_file)(bridge *b, bridge_ref *ref, const char *path, int64_t offset, int64_t length,
			     struct work *work, GError **error);
	/* Element type: struct fssync_stat * (owned); sorted by name. include: a pattern, or NULL or "" for all. */
	GPtrArray *(*read_dir)(bridge *b, bridge_ref *ref, const char *path, const char *include, struct work *work,
			       GError **error);
	/* fssync_stat_clear. */
	bool (*stat_file)(bridge *b, bridge_ref *ref, const char *path, struct work *work, struct fssync_stat *ret,
			  GError **error);
	bool (*evaluate)(bridge *b, bridge_ref *ref, struct work *work, GError **error);
	/* Evaluates the refs and opens the mounts. The container ends with the build. */
	container *(*new_container)(bridge *b, const struct bridge_container_request *r, struct work *work,
				    GError **error);
	/* vertex: the digest of the vertex that the warning is about. */
	bool (*warn)(bridge *b, const char *vertex, const struct progress_warning *warning, GError **error);
	/* Returns the definition of a ref, for use as an input of further ones. Borrowed; NULL for scratch. */
	const Pb__Definition *(*definition)(bridge *b, bridge_ref *ref);
	/* Returns the platforms of the worker, default first. Borrowed. */
	const struct platform *(*platforms)(bridge *b, size_t *ret_n);
	const char *(*session_id)(bridge *b);
	/*
	 * Reports whether the built-in Dockerfile frontend answers instead of a frontend image. options: of the
	 * request, whose contexts may replace the image. Asks the policies; an image that they refuse is not served, and
	 * the request for it fails. NULL: never.
	 */
	bool (*serves_frontend)(bridge *b, const char *source, GHashTable *options, struct work *work);
	bridge_ref *(*ref_ref)(bridge_ref *ref);
	void (*ref_unref)(bridge_ref *ref);
};
/* First member of every implementation. */
struct bridge {
	const struct bridge_class *class;
};
/* First member of every implementation's ref. */
struct bridge_ref {
	const struct bridge_class *class;
};

/* A frontend: takes options, returns a result. */
struct frontend {
	const char *name; /* "dockerfile.v0" */
	bool (*solve)(bridge *b, GHashTable *options, GHashTable *inputs, struct work *work, build_result **ret,
		      GError **error);
};
G_DEFINE_AUTOPTR_CLEANUP_FUNC(build_result, build_result_unref)
