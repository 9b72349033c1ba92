/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pull: resolves a reference to manifest, config and layers for one platform, from a registry or an OCI layout.
 *
 *	struct pull_origin origin = {.class = ..., .blobs = blobs};
 *	g_autoptr(pulled) p = pull(&origin, reference, &platform, work, error);
 *	pulled_layers(p, error)
 *
 * Fetched documents are cached for some minutes, so that a build fetches them once; the documents of an image that
 * becomes cache records are stored with them. Thread: any.
 */
#pragma once
#include "registry/registry.h"
#include "source/source.h"

struct pull_origin {
	blob_store *blobs;
	/* Resolves the root descriptor; if its media type is "", it is detected from the document. */
	bool (*resolve)(const struct pull_origin *o, const reference *ref, struct work *work, oci_descriptor **ret,
			GError **error);
	/* Returns verified bytes. */
	GBytes *(*fetch)(const struct pull_origin *o, const reference *ref, const oci_descriptor *d, size_t max,
			 struct work *work, GError **error);
	/*
	 * Reports whether the digest is known to belong to the reference's repository, so that a local copy may be used
	 * without a request.
	 */
	bool (*is_known)(const struct pull_origin *o, const reference *ref, const char *digest);
	void (*learn)(const struct pull_origin *o, const reference *ref, const char *digest);
	registry *registry;               /* registry */
	const struct image_store *images; /* registry; NULL: the worker has no image store */
	enum image_resolve_mode mode;     /* registry */
	session_registry *sessions;       /* OCI layout */
	const char *session_id, *store;   /* OCI layout */
};

typedef struct pulled {
	struct digest root;
	oci_manifest *manifest;
	GBytes *config_bytes;
	GPtrArray *documents; /* element type: GBytes *: the indexes above the manifest, the manifest, the config */
	oci_config *config;   /* NULL if it is not a valid config */
} pulled;
pulled *pull(const struct pull_origin *o, const reference *ref, const struct platform *want, struct work *work,
	     GError **error);
/* Resolves the root descriptor only. */
bool pull_root(const struct pull_origin *o, const reference *ref, struct work *work, struct digest *ret,
	       GError **error);
/* Resolves the root and fetches its document; the media type of ret is that of an index or a manifest. */
bool pull_root_document(const struct pull_origin *o, const reference *ref, struct work *work, oci_descriptor **ret,
			GBytes **ret_bytes, GError **error);
/* Returns a document of at most max bytes from memory or from the origin. */
GBytes *pull_document(const struct pull_origin *o, const reference *ref, const oci_descriptor *d, size_t max,
		      struct work *work, GError **error);
void pulled_free(pulled *p);
/*
 * Returns the layers with their diff ids, bottom first (element type: oci_layer). Fails if manifest and config
 * disagree.
 */
GPtrArray *pulled_layers(const pulled *p, GError **error);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(pulled, pulled_free)

/* A request of an image source; the sources differ only in their origin (image.c). */
struct image_request {
	struct pull_origin origin;
	reference *ref; /* owned */
	char *text;     /* owned: for messages */
	struct platform platform;
	char **os_features;       /* owned, of platform */
	char *record_type;        /* owned or NULL */
	char *checksum;           /* owned or NULL */
	int64_t layer_limit;      /* -1: none */
	char *session_id, *store; /* owned, OCI layout only */
	cache *cache;
	/* Returns the provider of the layers. */
	blob_provider *(*provider)(struct image_request *q, const oci_manifest *manifest);
	pulled *pulled;    /* owned, set by the first phase */
	GPtrArray *layers; /* owned, of oci_layer */
};
void image_request_free(void *self);
bool image_request_cache_key(void *self, struct work *work, unsigned phase, char **ret_key, bool *ret_last,
			     GError **error);
char *image_request_pin(void *self);
bool image_request_snapshot(void *self, struct work *work, cache_ref **ret_ref, GError **error);
/*
 * Removes the error codes of this module: upstream's sources return errors without a code, and clients would print it.
 */
bool source_plain_error(bool ok, GError **error);
bool source_layer_limit_parse(const char *text, int64_t *ret, GError **error);

/*
 * Fetches a blob, whose digest ref has, and returns it for reading, or -1. holds keeps it in the store;
 * cache_release_blobs. session_id and store: OCI layout only.
 */
int pull_blob(const struct source_context *context, bool is_layout, const reference *ref, const char *session_id,
	      const char *store, blob_holds *holds, struct work *work, GError **error);
void pull_origin_layout(struct pull_origin *ret, const struct source_context *context, const char *session_id,
			const char *store);
/* Fetches from an OCI layout of a session. Strings are copied. */
blob_provider *pull_layout_provider(session_registry *sessions, const char *session_id, const char *store);
/* Parses "name@sha256:..." of a layout or blob source; store is the name without the tag. */
reference *pull_layout_reference(const char *text, GError **error);
