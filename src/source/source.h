/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source: the trees that builds begin with. Each scheme is one file, its name in meson.build, and one
 * row of SOURCE_KINDS.
 *
 *	source *s = source_open(&context, op, &platform, error);         errors: "unknown scheme S: not found"
 *	source_cache_key(s, work, phase, &key, &last, error);
 *	source_snapshot(s, work, &ref, error);
 *
 * The cache key has upstream's text, before hashing; "session:" keys are random. Thread: an instance is used by one
 * thread at a time; contexts are shared.
 */
#pragma once
#include "base/name_locks.h"
#include "cache/cache.h"
#include "oci/image_store.h"
#include "ops.pb-c.h"
#include "registry/registry.h"
#include "session/session.h"
#include "source/kinds.h"
#include "source/meta.h"

/*
 * How the root of an image with a tag is resolved: DEFAULT asks the registry and, if that fails, the worker's image
 * store; PULL asks the registry only; LOCAL asks the image store first. Workers without an image store ask the registry
 * only.
 */
enum image_resolve_mode { IMAGE_RESOLVE_DEFAULT, IMAGE_RESOLVE_PULL, IMAGE_RESOLVE_LOCAL };

struct source_context {
	cache *cache;
	blob_store *blobs;
	registry *registry;
	session_registry *sessions;
	const struct image_store *images; /* NULL: the worker has none */
	name_locks *git_locks;            /* repositories and snapshots in work, by record name */
	const char *worker_id;
	const char *user_agent;
};
typedef struct source source;

/*
 * A kind of source. A new one is a file that defines source_NAME_class, its name in meson.build, and one row. The flags,
 * name and pin may be unset; the unit test source/identifier checks the other members of all rows.
 */
struct source_class {
	const char *scheme; /* "docker-image", "local", ... */
	enum source_material material;
	bool is_layout;        /* the content comes from an OCI layout of the client, not from a registry */
	bool is_address_whole; /* the identifier, with its scheme, is the address */
	bool keeps_codes;      /* errors of the client: codes are kept */
	/*
	 * Returns the identifier that policies match, normalised; owned. NULL if it is invalid. The member is NULL if
	 * the identifier is used unchanged.
	 */
	char *(*name)(const Pb__SourceOp *op);
	/* Reads identifier (the part after "://") and attrs; the instance keeps context borrowed. */
	void *(*open)(const struct source_context *context, const Pb__SourceOp *op, const struct platform *platform,
		      GError **error);
	bool (*cache_key)(void *self, struct work *work, unsigned phase, char **ret_key, bool *ret_last,
			  GError **error);
	bool (*snapshot)(void *self, struct work *work, cache_ref **ret_ref, GError **error); /* NULL ref: scratch */
	/* The digest or commit that was resolved, once there is a cache key; owned. NULL: the source has none. */
	char *(*pin)(void *self);
	void (*free)(void *self);
};

#define SOURCE_CLASS_DECLARE(name) extern const struct source_class source_##name##_class;
SOURCE_KINDS(SOURCE_CLASS_DECLARE)

/* Returns the class of an identifier "SCHEME://REST"; *ret_rest points behind "://". NULL: no such scheme. */
const struct source_class *source_class_find(const char *identifier, const char **ret_rest);
source *source_open(const struct source_context *context, const Pb__SourceOp *op, const struct platform *platform,
		    GError **error);
bool source_cache_key(source *s, struct work *work, unsigned phase, char **ret_key, bool *ret_last, GError **error);
bool source_snapshot(source *s, struct work *work, cache_ref **ret_ref, GError **error);
/* Owned, NULL: none. Call after source_cache_key. */
char *source_pin(source *s);
void source_free(source *s);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(source, source_free)

/*
 * Returns the identifier for policies; owned. Image names are complete; git repositories have the host and path of the
 * fetched repository, also with git.fullurl. Invalid identifiers are returned unchanged.
 */
char *source_name(const Pb__SourceOp *op);

/* Registry auth callbacks through work->sessions, shared by sources and exporters (source/auth.c). */
extern const struct registry_auth source_registry_auth;

/* Resolves an image without its layers (LLBBridge.ResolveImageConfig / ResolveSourceMeta). */
struct image_query {
	const struct platform *platform;
	enum image_resolve_mode mode;
	bool no_config;    /* only the digest, or the attestation chain */
	bool attestations; /* the attestation chain, too */
	const char *const *predicate_types;
	size_t n_predicate_types;
};
struct image_meta {
	struct digest digest;            /* of the root (index or manifest) */
	GBytes *config;                  /* owned; NULL if no_config */
	attestation_chain *attestations; /* owned; NULL: not wanted */
};
/* Parses the mode of an attribute or option; "" and NULL are the default. INVALID_ARGUMENT for other texts. */
bool source_resolve_mode_parse(const char *text, enum image_resolve_mode *ret, GError **error);
bool source_image_resolve(const struct source_context *context, const char *reference_text, const struct image_query *q,
			  struct work *work, struct image_meta *ret, GError **error);
bool source_oci_layout_resolve(const struct source_context *context, const char *reference_text, const char *session_id,
			       const char *store_id, const struct platform *platform, struct work *work,
			       struct image_meta *ret, GError **error);

/* Metadata of sources (LLBBridge.ResolveSourceMeta). objects: also fetches the commit object and tag. ret is set on success. */
bool source_git_resolve(const struct source_context *context, const Pb__SourceOp *op, bool objects, struct work *work,
			struct git_meta *ret, GError **error);
/*
 * The file is downloaded unless it is known, or if a checksum is requested (NULL: none). ret is set on success.
 */
bool source_http_resolve(const struct source_context *context, const Pb__SourceOp *op, struct http_checksum *checksum,
			 struct work *work, struct http_meta *ret, GError **error);
